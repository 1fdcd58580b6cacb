import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_vi.datamodules import npz_file
from lightning_vi.datamodules.npz_file import NpzFile
from lightning_vi.errors import UserError

X = np.random.default_rng(0).normal(size=(100, 2, 3)).astype(np.float32)
Y = np.array([f"word {k % 3}" for k in range(100)])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_blocks_are_the_arrays_in_order(
    save: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz_file, "BLOCK_BYTES", 500)
    save(tmp_path / "a.npz", x=X, y=Y, empty=np.zeros((100, 0)))
    source = NpzFile(tmp_path / "a.npz")
    assert source.names == ["x", "y", "empty"]
    blocks = list(source.blocks(["y", "x", "empty"]))
    assert len(blocks) == 10
    np.testing.assert_array_equal(np.concatenate([block["x"].values for block in blocks]), X)
    np.testing.assert_array_equal(np.concatenate([block["y"].values for block in blocks]), Y)
    assert [block["x"].first for block in blocks] == list(np.cumsum([0, *(len(b["x"].values) for b in blocks)])[:-1])


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x": X, "y": Y[:9]}, "its arrays must have one row per example: x (100, 2, 3), y (9,)."),
        ({"x": X, "y": np.float64(1)}, "its arrays must have one row per example"),
        ({"x": X, "y": np.array([{}] * 100)}, "'y' holds Python objects"),
        ({"x": np.asfortranarray(X), "y": Y}, "'x' is in Fortran's order. Save numpy.ascontiguousarray"),
    ],
)
def test_what_is_no_example_is_told(arrays: dict[str, Any], told: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=re.escape(told)):
        list(NpzFile(tmp_path / "a.npz").blocks(["x", "y"]))


def test_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"is not a readable file of numpy\.savez"):
        NpzFile(path)
    np.savez(path, x=X)
    content = path.read_bytes()
    place = content.index(X.tobytes()[:50])
    path.write_bytes(content[:place] + bytes(50) + content[place + 50 :])
    with pytest.raises(UserError, match=r"a\.npz .*Bad CRC-32.* Write it anew"):
        list(NpzFile(path).blocks(["x"]))
