import gzip
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from torchvision import datasets

from lightning_vi.datamodules import images
from lightning_vi.datamodules.images import IdxImages
from lightning_vi.datamodules.scaling import Divide, Standardise
from lightning_vi.errors import UserError

TRAINING, TEST = 12, 5
NAMES = images.TRAINING_FILES + images.TEST_FILES


class Tiny(datasets.MNIST):  # type: ignore[misc]
    mirrors: list[str] = ["http://127.0.0.1:9/"]  # noqa: RUF012


def idx(array: np.ndarray) -> bytes:
    """The IDX format, written down anew: magic 0x08 and the rank, big-endian sizes, bytes."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        name: rng.integers(0, 256, (size, 28, 28), np.uint8)
        if "images" in name
        else np.arange(size, dtype=np.uint8) % 10
        for name, size in zip(NAMES, (TRAINING, TRAINING, TEST, TEST), strict=True)
    }


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "Tiny" / "raw"
    folder.mkdir(parents=True)
    for name, array in arrays().items():
        (folder / name).write_bytes(idx(array))
    return folder


def tiny(root: Path, validation_size: int = 4) -> IdxImages:
    return IdxImages(Tiny, root, validation_size, Divide(), TRAINING, TEST)


def test_pixels_labels_and_split_are_those_of_the_files(raw: Path, tmp_path: Path) -> None:
    splits = tiny(tmp_path).splits()
    expected = arrays()
    pixels, labels = expected[NAMES[0]], expected[NAMES[1]]
    for split, x, y in (
        (splits.training, pixels[:8], labels[:8]),
        (splits.validation, pixels[8:], labels[8:]),
        (splits.test, expected[NAMES[2]], expected[NAMES[3]]),
    ):
        inputs, targets = split.tensors
        np.testing.assert_allclose(inputs.numpy(), x[:, None] / 126, rtol=1e-6)
        np.testing.assert_array_equal(targets.numpy(), y)
        assert (inputs.dtype, targets.dtype) == (torch.float32, torch.int64)


def test_no_validation_split(raw: Path, tmp_path: Path) -> None:
    splits = tiny(tmp_path, validation_size=0).splits()
    assert [len(split) for split in splits] == [TRAINING, 0, TEST]
    assert splits.validation.tensors[0].shape == (0, 1, 28, 28)


def test_neither_scaling_nor_validation_see_the_test_files(raw: Path, tmp_path: Path) -> None:
    source = IdxImages(Tiny, tmp_path, 4, Standardise(), TRAINING, TEST)
    before = source.splits()
    (raw / NAMES[2]).write_bytes(idx(np.zeros((TEST, 28, 28), np.uint8)))
    (raw / NAMES[3]).write_bytes(idx(np.zeros(TEST, np.uint8)))
    after = source.splits()
    assert not torch.equal(before.test.tensors[0], after.test.tensors[0])
    for one, other in ((before.training, after.training), (before.validation, after.validation)):
        assert all(torch.equal(a, b) for a, b in zip(one.tensors, other.tensors, strict=True))


WRONG: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "truncated": (NAMES[0], lambda good: good[:-1], "has 9423 bytes instead of 9424"),
    "too long": (NAMES[2], lambda good: good + b"\n", "has 3937 bytes instead of 3936"),
    "empty": (NAMES[0], lambda good: b"", "begins with b''"),
    "compressed": (NAMES[1], gzip.compress, "still compressed"),
    "web page": (NAMES[2], lambda good: b"<!DOCTYPE html><html>" + bytes(3915), "begins with b'<!DOCTYPE html>"),
    "signed bytes": (NAMES[1], lambda good: good[:2] + b"\x09" + good[3:], "begins with"),
    "images in place of labels": (NAMES[1], lambda good: idx(arrays()[NAMES[0]]), "begins with"),
    "test file in place of training file": (NAMES[0], lambda good: idx(arrays()[NAMES[2]]), "12 x 28 x 28"),
    "labels that disagree in number": (NAMES[1], lambda good: idx(np.zeros(11, np.uint8)), "IDX file of 12 bytes"),
    "images of another size": (NAMES[0], lambda good: idx(np.zeros((12, 14, 56), np.uint8)), "12 x 28 x 28"),
    "label out of range": (NAMES[3], lambda good: idx(np.full(TEST, 10, np.uint8)), "holds the label 10"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_named(case: str, raw: Path, tmp_path: Path) -> None:
    name, spoil, reason = WRONG[case]
    (raw / name).write_bytes(spoil((raw / name).read_bytes()))
    source = tiny(tmp_path)
    source.download()  # files of these names are not fetched again
    with pytest.raises(UserError) as caught:
        source.splits()
    message = str(caught.value)
    assert str(raw / name) in message
    assert reason in message
    assert message.count("\n") == 1


def test_missing_files_give_two_lines(tmp_path: Path, raw: Path) -> None:
    (raw / NAMES[3]).unlink()
    source = tiny(tmp_path)
    for attempt, reason in ((source.splits, "1 of them"), (source.download, "Connection refused")):
        with pytest.raises(UserError) as caught:
            attempt()
        message = str(caught.value)
        assert message.count("\n") == 1
        for part in (*NAMES, str(raw), reason, "LIGHTNING_VI_DATA", "bbb_digits.yaml"):
            assert part in message


def test_a_failed_download_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Connection refused"):
        tiny(tmp_path / "new").download()
    assert list(tmp_path.iterdir()) == []
    folder = tmp_path / "Tiny" / "raw"
    folder.mkdir(parents=True)
    (folder / NAMES[0]).write_bytes(idx(arrays()[NAMES[0]]))
    with pytest.raises(UserError, match="Connection refused"):
        tiny(tmp_path).download()
    assert [each.name for each in folder.iterdir()] == [NAMES[0]]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "Tiny").write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"the download failed: .*Tiny/raw"):
        tiny(tmp_path).download()


def test_a_silent_server_does_not_hold_up_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(Tiny, "mirrors", [f"http://127.0.0.1:{silent.getsockname()[1]}/"])
        monkeypatch.setattr(images, "TIMEOUT", 0.1)
        with pytest.raises(UserError, match="timed out"):
            tiny(tmp_path).download()
    assert socket.getdefaulttimeout() is None


def resources(folder: Path) -> list[tuple[str, str]]:
    found = []
    for name, array in arrays().items():
        archive = gzip.compress(idx(array), mtime=0)
        (folder / f"{name}.gz").write_bytes(archive)
        found.append((f"{name}.gz", hashlib.md5(archive).hexdigest()))
    return found


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setattr(Tiny, "resources", resources(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        monkeypatch.setattr(Tiny, "mirrors", [f"http://127.0.0.1:{server.server_address[1]}/"])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder
        server.shutdown()
        thread.join()


def test_download(served: Path, tmp_path: Path) -> None:
    source = tiny(tmp_path / "new")
    source.download()
    assert torch.equal(source.splits().test.tensors[1], torch.arange(TEST))


def test_a_download_with_another_checksum_is_refused(served: Path, tmp_path: Path) -> None:
    (served / f"{NAMES[2]}.gz").write_bytes(b"<html>please log in</html>")
    with pytest.raises(UserError, match="the download failed: File not found or corrupted"):
        tiny(tmp_path / "new").download()


def test_archives_that_are_there_need_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Tiny" / "raw"
    folder.mkdir(parents=True)
    monkeypatch.setattr(Tiny, "resources", resources(folder))
    source = tiny(tmp_path)
    source.download()
    assert torch.equal(source.splits().test.tensors[1], torch.arange(TEST))


@pytest.mark.parametrize("last", range(4))
def test_what_a_kill_has_left_of_a_download_is_mended(
    last: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Archives are all there, and of the files those before the one that was being unpacked."""
    folder = tmp_path / "Tiny" / "raw"
    folder.mkdir(parents=True)
    monkeypatch.setattr(Tiny, "resources", resources(folder))
    for name in NAMES[: last + 1]:
        (folder / name).write_bytes(idx(arrays()[name]))
    half = folder / NAMES[last]
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    source = tiny(tmp_path)
    source.download()
    for (training, labels), size in zip((NAMES[:2], NAMES[2:]), (TRAINING, TEST), strict=True):
        assert (folder / training).read_bytes() == idx(arrays()[training])
        assert (folder / labels).stat().st_size == 8 + size


def test_half_an_archive_that_a_kill_has_left_is_fetched_again(served: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "Tiny" / "raw"
    folder.mkdir(parents=True)
    archive = (served / f"{NAMES[0]}.gz").read_bytes()
    (folder / f"{NAMES[0]}.gz").write_bytes(archive[: len(archive) // 2])
    source = tiny(tmp_path / "new")
    source.download()
    assert torch.equal(source.splits().test.tensors[1], torch.arange(TEST))


def test_a_wrong_file_beside_another_archive_is_the_users_own(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tiny, "resources", resources(raw))
    (raw / NAMES[3]).write_bytes(b"mine")
    (raw / f"{NAMES[3]}.gz").write_bytes(b"mine too")
    source = tiny(tmp_path)
    source.download()
    assert (raw / NAMES[3]).read_bytes() == b"mine"
    with pytest.raises(UserError, match="delete it to have it downloaded again"):
        source.splits()


def test_a_download_waits_for_that_of_another_process(served: Path, tmp_path: Path) -> None:
    source = tiny(tmp_path / "new")
    source.folder.mkdir(parents=True)
    with FileLock(source.folder / images.LOCK):
        other = threading.Thread(target=source.download)
        other.start()
        other.join(0.2)
        assert other.is_alive()
        assert [each.name for each in source.folder.iterdir()] == [images.LOCK]
    other.join(20)
    assert len(source.splits().test) == TEST


def test_a_read_only_folder_will_do(raw: Path, tmp_path: Path) -> None:
    folders = [raw, raw.parent, tmp_path]
    before = [sorted(folder.iterdir()) for folder in folders]
    for folder in folders:
        folder.chmod(0o555)
    try:
        tiny(tmp_path).download()
        assert len(tiny(tmp_path).splits().test) == TEST
        assert [sorted(folder.iterdir()) for folder in folders] == before  # root may write regardless of modes
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIGHTNING_VI_DATA", raising=False)
    assert IdxImages(Tiny, None, 0, Divide()).folder == Path("data/Tiny/raw")
    monkeypatch.setenv("LIGHTNING_VI_DATA", str(tmp_path))
    assert IdxImages(Tiny, None, 0, Divide()).folder == tmp_path / "Tiny" / "raw"
    assert IdxImages(Tiny, "here", 0, Divide()).folder == Path("here/Tiny/raw")


@pytest.mark.parametrize("size", [-1, TRAINING])
def test_a_validation_size_out_of_range(size: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"Tiny: validation_size \(={size}\) must lie in \[0, 11\]"):
        tiny(tmp_path, validation_size=size)
