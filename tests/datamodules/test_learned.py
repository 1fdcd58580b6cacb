from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_vi.datamodules.learned import Learned, digest
from lightning_vi.datamodules.scaling import Affine
from lightning_vi.errors import UserError

LEARNED = Learned(("a", "b"), (2,), ("no", "yes"), 2, Affine((0.1, 2.0), (1.0, 1e-3)), "abc")


def test_a_file_that_is_read_as_data_keeps_it(tmp_path: Path) -> None:
    torch.save(LEARNED.state_dict(), tmp_path / "learned.pt")
    assert Learned.of(torch.load(tmp_path / "learned.pt", weights_only=True)) == LEARNED


def test_digests_tell_arrays_apart() -> None:
    x, y = np.arange(6.0).reshape(3, 2), np.arange(3)
    assert digest(x, y) == digest(x.T.copy().T, y) != digest(x + 1e-12 * (x == 3), y + (y == 2))


def test_other_examples_are_refused() -> None:
    LEARNED.require_same(replace(LEARNED), "Arrays")
    with pytest.raises(UserError, match=r"had features \('b', 'a'\), now \('a', 'b'\).*--weights"):
        LEARNED.require_same(replace(LEARNED, features=("b", "a")), "Arrays")
    for other in (replace(LEARNED, digest="x"), replace(LEARNED, scaling=Affine((0.0, 2.0), (1.0, 1.0)))):
        with pytest.raises(UserError, match=r"the checkpoint's training split had other examples\. Give"):
            LEARNED.require_same(other, "Arrays")
