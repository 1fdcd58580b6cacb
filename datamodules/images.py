"""Image data sets in the four IDX files of MNIST: found, downloaded and checked.

The download, its mirrors and its checksums are torchvision's. It checks the archives that it fetches, but takes
unpacked files as they are: a truncated one ends in an obscure exception, one with other items is read. So the
header and the length of what lies on the disk are compared here with what must lie there. A process that is killed
while it unpacks leaves such a file, beside its archive: the next one unpacks it again.
"""

import os
import socket
import struct
from http.client import HTTPException
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor
from torch.utils.data import TensorDataset
from torchvision import datasets
from torchvision.datasets.mnist import read_image_file, read_label_file
from torchvision.datasets.utils import check_integrity

from lightning_vi.datamodules.base import Splits
from lightning_vi.datamodules.scaling import Affine, Scaling
from lightning_vi.errors import UserError

ROOT_VARIABLE = "LIGHTNING_VI_DATA"
TRAINING_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST_FILES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SIDE = 28
CLASSES = 10
MAXIMUM = 255.0
TIMEOUT = 5.0  # seconds that an address may stay silent
LOCK = ".lock"  # beside the files, while they are fetched
MEND = "Put the right file in its place, or delete it to have it downloaded again."


class IdxImages:
    """A data set of 28 x 28 images in ten classes, in torchvision's folder layout `root/<name>/raw`.

    Args:
        dataset: torchvision's class, e.g. `torchvision.datasets.MNIST`.
        root: Folder above `<name>/raw`; by default the environment variable `LIGHTNING_VI_DATA`, else `data`.
        validation_size: The last examples of the training file that are held out, the convention of the MNIST
            literature (50,000 / 10,000 / 10,000); 0 trains on all.
        scaling: From pixels to inputs.
        training_size: Examples in the training files.
        test_size: Examples in the test files.

    Attributes:
        scale: From pixels to inputs, once :meth:`splits` has fitted it.

    Raises:
        UserError: If `validation_size` is negative or leaves no training example.
    """

    def __init__(
        self,
        dataset: type[datasets.MNIST],
        root: str | os.PathLike[str] | None,
        validation_size: int,
        scaling: Scaling,
        training_size: int = 60_000,
        test_size: int = 10_000,
    ) -> None:
        self.name = dataset.__name__
        if not 0 <= validation_size < training_size:
            raise UserError(f"{self.name}: validation_size (={validation_size}) must lie in [0, {training_size - 1}].")
        self.dataset = dataset
        self.root = Path(root or os.environ.get(ROOT_VARIABLE) or "data").expanduser()
        self.folder = self.root / self.name / "raw"
        self.validation_size, self.scaling = validation_size, scaling
        self.training_size, self.test_size = training_size, test_size
        self.scale: Affine | None = None

    def download(self) -> None:
        """Fetch what is missing; where the four files are, nothing is written and nobody asked.

        Raises:
            UserError: If they are not there and cannot be had.
        """
        if not (self._missing() or self._half_unpacked()):
            return
        made = [each for each in (self.folder, *self.folder.parents) if not each.exists()]
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(TIMEOUT)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Runs that start together want the same files: one fetches them, the others wait.
            with FileLock(self.folder / LOCK):
                for path in self._half_unpacked():
                    path.unlink()
                if self._missing():
                    self.dataset(self.root, download=True)
        except (RuntimeError, OSError, HTTPException) as error:
            _take_back(made, self.folder / LOCK)
            reason = (str(error).strip() or repr(error)).splitlines()[-1]
            raise self._absent(f"the download failed: {reason}") from error
        finally:
            socket.setdefaulttimeout(before)

    def splits(self) -> Splits:
        """Read, check, split and scale.

        Raises:
            UserError: If a file is missing, truncated or not what it should be.
        """
        if missing := self._missing():
            raise self._absent(f"{len(missing)} of them are missing")
        pixels, labels = self._read(TRAINING_FILES, self.training_size)
        test_pixels, test_labels = self._read(TEST_FILES, self.test_size)
        size = self.training_size - self.validation_size
        self.scale = scale = self.scaling.fit(pixels[:size], MAXIMUM)
        return Splits(
            TensorDataset(scale(pixels[:size]), labels[:size]),
            TensorDataset(scale(pixels[size:]), labels[size:]),
            TensorDataset(scale(test_pixels), test_labels),
        )

    def _read(self, files: tuple[str, str], size: int) -> tuple[Tensor, Tensor]:
        """Pixels (N, 1, 28, 28), float32 in 0, ..., 255, and labels (N,), int64."""
        images, targets = (self.folder / name for name in files)
        for path in (images, targets):
            check_idx(path, _shape(path.name, size))
        labels: Tensor = read_label_file(targets)
        if labels.max() >= CLASSES:
            raise UserError(
                f"{targets} holds the label {labels.max()}, but labels must lie in [0, {CLASSES - 1}].\n{MEND}"
            )
        return read_image_file(images).unsqueeze(1).to(torch.float32), labels

    def _half_unpacked(self) -> list[Path]:
        """Wrong files beside their archives: what a killed process has left, or what another one is writing."""
        sums = dict(self.dataset.resources)
        sizes = dict.fromkeys(TRAINING_FILES, self.training_size) | dict.fromkeys(TEST_FILES, self.test_size)
        return [
            path
            for name, size in sizes.items()
            if (path := self.folder / name).is_file()
            and wrong_idx(path, _shape(name, size)) is not None
            and check_integrity(str(path.with_name(f"{name}.gz")), sums[f"{name}.gz"])
        ]

    def _missing(self) -> list[str]:
        return [name for name in TRAINING_FILES + TEST_FILES if not (self.folder / name).is_file()]

    def _absent(self, reason: str) -> UserError:
        files = ", ".join(TRAINING_FILES + TEST_FILES)
        return UserError(
            f"{self.name}: looked in {self.folder.resolve()} for the four files {files}; {reason}.\n"
            f"Put them there, set the argument root or {ROOT_VARIABLE} to the folder above {self.name}/raw, "
            "or train without them: --config bbb_digits.yaml"
        )


def check_idx(path: Path, shape: tuple[int, ...]) -> None:
    """Compare header and length of an IDX file with those of an array of `shape` of unsigned bytes.

    Raises:
        UserError: If either differs.
    """
    wrong = wrong_idx(path, shape)
    if wrong is not None:
        raise UserError(f"{path} is not an IDX file of {' x '.join(map(str, shape))} bytes: {wrong}.\n{MEND}")


def wrong_idx(path: Path, shape: tuple[int, ...]) -> str | None:
    """What is wrong with an IDX file of `shape`, if anything is.

    The header is: two zero bytes, the type (8), the number of dimensions, each dimension as a big-endian int32.
    """
    expected = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
    length = len(expected) + torch.Size(shape).numel()
    with path.open("rb") as file:
        header = file.read(len(expected))
    found = path.stat().st_size
    if header.startswith(b"\x1f\x8b"):
        return "it is still compressed (gzip -d unpacks it)"
    if header != expected:
        return f"it begins with {header!r} instead of {expected!r}"
    if found != length:
        return f"it has {found} bytes instead of {length}"
    return None


def _shape(name: str, size: int) -> tuple[int, ...]:
    return (size, SIDE, SIDE) if "images" in name else (size,)


def _take_back(folders: list[Path], lock: Path) -> None:
    """Take back the folders, innermost first, that a failed download has made, and its lock."""
    if lock.is_file():
        lock.unlink()
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
