from pathlib import Path

import pytest

from lightning_vi.demo.exhibits import exhibits, named
from lightning_vi.errors import UserError


def test_models_are_sorted_by_what_can_be_done_with_them(runs: dict[str, Path]) -> None:
    found = exhibits(list(runs.values()))
    assert {side: [each.name for each in group] for side, group in found.classifiers.items()} == {
        8: ["bbb/version_0", "ensemble/version_0"]
    }
    assert list(found.decoders) == ["vae/version_0"]
    assert list(found.generators) == ["gan/version_0"]


def test_names_are_those_of_the_runs_unless_two_are_the_same() -> None:
    first, second = (Path(f"runs/{name}/version_1/checkpoints/last.ckpt") for name in "ab")
    lone, best = Path("there/lone.ckpt"), first.with_name("best.ckpt")
    assert named([first, second, lone]) == {"a/version_1": first, "b/version_1": second, "lone": lone}
    assert list(named([first, best])) == [str(first), str(best)]
    with pytest.raises(UserError, match=r"last\.ckpt is given twice\."):
        named([first, second, first])
