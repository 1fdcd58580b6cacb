"""A user's own images, in one folder for each class."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from lightning_vi.datamodules.base import Splits
from lightning_vi.datamodules.classes import Label
from lightning_vi.datamodules.image_files import images_below, stacked
from lightning_vi.datamodules.learned import Learned, digest
from lightning_vi.datamodules.own_data import OwnData, Prepared
from lightning_vi.datamodules.scaling import Scaling, UnitInterval
from lightning_vi.datamodules.splitting import Fractions, ImagesSplit
from lightning_vi.datamodules.transforms import Transform, transform_once
from lightning_vi.errors import UserError

MAXIMUM = 255.0
BLOCK = 256
"""Images that are decoded at once for a prediction."""


class Images(OwnData):
    """Images in `<path>/<class>/`, or with `ByFolder` in `<path>/<part>/<class>/`; classes are the names of folders.

    All are decoded once, into memory: 4 bytes for each value of the scaled images, and 1 more while they are read. A
    checkpoint keeps classes, shape and scaling.

    Args:
        path: The folder.
        size: Height and width that every image is resized to; None if all have the same size.
        greyscale: Whether inputs are (1, H, W), the brightness, or (3, H, W).
        split: What trains, validates and tests: `Fractions` or `ByFolder`.
        scaling: From pixels in 0, ..., 255 to inputs.
        predict: A folder of images that `predict` runs over, a few at a time; by default the test split. They are
            named by their paths in it.
        batch_size: See `InMemoryDataModule`.
        eval_batch_size: See `InMemoryDataModule`.
        seed: See `InMemoryDataModule`.
        watch_test: See `InMemoryDataModule`.
        transform: See `InMemoryDataModule`; it goes with the scaling `UnitInterval`, the default.

    Raises:
        UserError: If an argument is out of its range.
    """

    maximum = MAXIMUM

    def __init__(
        self,
        path: str,
        size: tuple[int, int] | None = None,
        greyscale: bool = False,
        split: ImagesSplit = Fractions(validation=0.1, test=0.2, seed=0),
        scaling: Scaling = UnitInterval(),
        predict: str | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 2000,
        seed: int | None = None,
        watch_test: bool = False,
        transform: Transform | None = None,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, watch_test, transform, predict)
        if size is not None and min(size) < 1:
            raise UserError(f"Images: size (={list(size)}) must be a height and a width from 1 on.")
        self.path, self.size, self.greyscale = path, None if size is None else (size[0], size[1]), greyscale
        self.split, self.scaling = split, scaling

    def prepared(self, kept: Learned | None) -> Prepared:
        """See `OwnData.prepared`."""
        root = Path(self.path).expanduser()
        paths = images_below(root)
        folders = [path.relative_to(root).parts[:-1] for path in paths]
        stray = next((path for path, folder in zip(paths, folders, strict=True) if not folder), None)
        if stray is not None:
            raise UserError(f"{stray} lies in no folder of a class. Move it: {root}/<class>/{stray.name}.")
        names = np.array([folder[-1] for folder in folders])
        parts = self.split.parts(np.array([folder[0] for folder in folders]), names)
        classes = tuple(np.unique(names[parts[0]]).tolist()) if kept is None else kept.classes
        assert classes is not None
        if len(classes) < 2:
            raise UserError(
                f"{root} has the class '{classes[0]}' alone in the training split. Give a folder for each class; "
                "where they lie in train, val and test: --data.split ByFolder."
            )
        places = {str(label): place for place, label in enumerate(classes)}  # those of other images are numbers
        unknown = sorted(set(names.tolist()) - set(places))
        if unknown:
            raise UserError(
                f"{root}: the class '{unknown[0]}' is none of the training split, which has: "
                f"{', '.join(map(str, classes[:12]))}. Move its folder away."
            )
        pixels = stacked(paths, self.greyscale, self.size)
        targets = np.array([places[name] for name in names.tolist()], dtype=np.int64)
        learned = self._learnt(pixels[parts[0]], targets[parts[0]], classes) if kept is None else kept
        self.scale = learned.scaling
        _require_shape(paths[0], pixels, learned)
        splits = (TensorDataset(_scaled(pixels[part], learned), torch.from_numpy(targets[part])) for part in parts)
        ids = np.array([path.relative_to(root).as_posix() for path in paths])
        return Prepared(Splits(*splits), ids[parts[2]], learned)

    def stream(self, predict: str, learned: Learned) -> Iterator[tuple[Tensor, np.ndarray]]:
        """See `OwnData.stream`."""
        root = Path(predict).expanduser()
        paths = images_below(root)
        for start in range(0, len(paths), BLOCK):
            some = paths[start : start + BLOCK]
            pixels = stacked(some, self.greyscale, self.size)
            _require_shape(some[0], pixels, learned)
            inputs = _scaled(pixels, learned)
            if self.transform is not None:
                # Behind the three splits; it does not depend on batches or devices.
                inputs = transform_once(self.transform, inputs, self.maximum, len(Splits._fields) + start)
            yield inputs, np.array([path.relative_to(root).as_posix() for path in some])

    def _learnt(self, pixels: np.ndarray, targets: np.ndarray, classes: tuple[Label, ...]) -> Learned:
        scaling = self.fitted(self.scaling, torch.from_numpy(pixels).to(torch.float32), MAXIMUM)
        shape = tuple(pixels.shape[1:])
        return Learned((), shape, classes, len(classes), scaling, digest(pixels, targets))


def _scaled(pixels: np.ndarray, learned: Learned) -> Tensor:
    return learned.scaling(torch.from_numpy(pixels).to(torch.float32))


def _require_shape(path: Path, pixels: np.ndarray, learned: Learned) -> None:
    if pixels.shape[1:] != learned.input_shape:
        raise UserError(
            f"{path}: its pixels are (channels, height, width) = {pixels.shape[1:]}, but the training's were "
            f"{learned.input_shape}. Give the size and greyscale of the training."
        )
