from pathlib import Path

import pytest
import torch

from lightning_vi.checkpoint_version import FORMAT, KEY, migrated, require_known, stamped
from lightning_vi.errors import UserError


def test_what_is_written_is_known() -> None:
    checkpoint: dict[str, object] = {"state_dict": {}}
    assert stamped(checkpoint) == {"state_dict": {}, KEY: FORMAT}
    assert checkpoint == {"state_dict": {}}
    require_known(stamped(checkpoint), Path("a.ckpt"))


def test_one_from_before_the_number_is_known() -> None:
    require_known({"state_dict": {}}, Path("a.ckpt"))


def test_what_one_without_a_number_holds_is_read_as_format_1() -> None:
    sums, state = torch.tensor([1.0, 2.0]), {"cpu": torch.zeros(3)}
    old = {"state_dict": {}, "epoch_totals": {"sums": sums, "steps": 4}, "random_state": state}
    new = migrated(old)
    assert new.pop("epoch_sums") == {"sums": pytest.approx(sums.unsqueeze(0)), "steps": 4, "left_out": 0}
    assert new == {"state_dict": {}, "random_states": [state]}
    assert migrated({"state_dict": {}}) == {"state_dict": {}}
    numbered = stamped({"random_state": state})
    assert migrated(numbered) == numbered


@pytest.mark.parametrize("number", [FORMAT + 1, 0, "new", None])
def test_another_number_is_refused(number: object) -> None:
    with pytest.raises(
        UserError, match=rf"a\.ckpt has the checkpoint format {number}, but .* reads format {FORMAT} only"
    ):
        require_known({"state_dict": {}, KEY: number}, Path("a.ckpt"))
