import random
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
from torch import Tensor

from lightning_vi.seal import LENGTH, damage, seal

CONTENT = {"state_dict": {"a": torch.arange(300.0), "b": torch.ones(3, 4)}, "epoch": 3, "name": "a" * 200}


def same(loaded: object) -> bool:
    """Whether what was loaded is what was saved."""
    assert isinstance(loaded, dict)
    assert loaded.keys() == CONTENT.keys()
    tensors: dict[str, Tensor] = CONTENT["state_dict"]  # type: ignore[assignment]
    rest = all(loaded[name] == CONTENT[name] for name in ("epoch", "name"))
    return rest and all(torch.equal(loaded["state_dict"][name], value) for name, value in tensors.items())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.ckpt"
    with path.open("w+b") as file:
        torch.save(CONTENT, file)
        seal(file)
    return path


@pytest.fixture
def unsealed(tmp_path: Path) -> Path:
    path = tmp_path / "unsealed.ckpt"
    torch.save(CONTENT, path)
    return path


def flips(content: bytes, count: int) -> Iterator[bytes]:
    """The content with a bit changed, at random places."""
    places = random.Random(0)
    for _ in range(count):
        changed = bytearray(content)
        changed[places.randrange(len(content))] ^= 1 << places.randrange(8)
        yield bytes(changed)


def test_a_sealed_file_is_one_of_torch(path: Path) -> None:
    assert damage(path) is None
    assert same(torch.load(path, weights_only=True))
    assert same(torch.load(path, weights_only=True, mmap=True))
    with ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(archive.comment) == LENGTH


def test_any_changed_bit_is_noticed(path: Path) -> None:
    for content in flips(path.read_bytes(), 1000):
        path.write_bytes(content)
        assert damage(path) is not None


def test_any_cut_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    near_the_end = range(len(content) - LENGTH - 30, len(content))
    for size in (*random.Random(0).choices(range(len(content)), k=500), *near_the_end):
        path.write_bytes(content[:size])
        assert damage(path) is not None
        path.write_bytes(content[len(content) - size :])
        assert damage(path) is not None
    path.write_bytes(content + b"\0")
    assert damage(path) is not None


def test_a_file_without_a_seal_is_refused_or_right(unsealed: Path) -> None:
    assert damage(unsealed) is None
    content, refused = unsealed.read_bytes(), 0
    for changed in flips(content, 500):
        unsealed.write_bytes(changed)
        if damage(unsealed) is None:
            try:
                loaded = torch.load(unsealed, weights_only=True)
            except RuntimeError:
                continue
            assert same(loaded)
        else:
            refused += 1
    assert refused > 100
    for size in random.Random(0).choices(range(len(content)), k=200):
        unsealed.write_bytes(content[:size])
        assert damage(unsealed) is not None


def test_what_is_wrong_is_told(path: Path) -> None:
    content = path.read_bytes()
    changed = bytearray(content)
    changed[100] ^= 1
    for damaged, reason in (
        (b"", "it is empty"),
        (b"text", "it has been cut short, or is not a file of torch.save"),
        (bytes(changed), "its checksum is not that of its content"),
    ):
        path.write_bytes(damaged)
        assert damage(path) == reason


def test_an_archive_that_unfolds_is_not_unfolded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.ckpt"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 20))
    assert damage(path) == "it has been cut short, or is not a file of torch.save"


def test_a_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "large.ckpt"
    with path.open("w+b") as file:
        torch.save(torch.zeros(3 << 18), file)
        seal(file)
    assert damage(path) is None
    with path.open("r+b") as file:
        file.seek(5 << 18)
        file.write(b"\1")
    assert damage(path) is not None
