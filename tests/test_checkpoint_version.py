from pathlib import Path

import pytest

from lightning_vi.checkpoint_version import FORMAT, KEY, require_known, stamped
from lightning_vi.errors import UserError


def test_what_is_written_is_known() -> None:
    checkpoint: dict[str, object] = {"state_dict": {}}
    assert stamped(checkpoint) == {"state_dict": {}, KEY: FORMAT}
    assert checkpoint == {"state_dict": {}}
    require_known(stamped(checkpoint), Path("a.ckpt"))


def test_one_from_before_the_number_is_known() -> None:
    require_known({"state_dict": {}}, Path("a.ckpt"))


@pytest.mark.parametrize("number", [FORMAT + 1, 0, "new", None])
def test_another_number_is_refused(number: object) -> None:
    with pytest.raises(
        UserError, match=rf"a\.ckpt has the checkpoint format {number}, but .* reads format {FORMAT} only"
    ):
        require_known({"state_dict": {}, KEY: number}, Path("a.ckpt"))
