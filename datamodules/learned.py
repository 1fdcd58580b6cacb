"""What a training split has taught: the examples of a prediction are read and scaled as those of the training were."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from lightning_vi.datamodules.classes import Label
from lightning_vi.datamodules.scaling import Affine
from lightning_vi.errors import UserError


@dataclass(frozen=True)
class Learned:
    """Plain data, for a checkpoint.

    Attributes:
        features: Names of the columns that are inputs, in the network's order; none of images.
        input_shape: Of one input.
        classes: Labels of the network's classes in their order, None for a regression.
        target_size: Number of classes, or dimension of the target.
        scaling: From raw values to inputs.
        digest: SHA-256 of the training split's inputs, before their scaling, and its targets.
    """

    features: tuple[str, ...]
    input_shape: tuple[int, ...]
    classes: tuple[Label, ...] | None
    target_size: int
    scaling: Affine
    digest: str

    def state_dict(self) -> dict[str, Any]:
        """Mappings and lists of plain values."""
        return asdict(self)

    @classmethod
    def of(cls, state: dict[str, Any]) -> Self:
        """What `state_dict` has given."""
        return cls(**{**state, "scaling": Affine(**state["scaling"])})

    @classmethod
    def of_images(cls, pixels: Mapping[str, Any], input_shape: Sequence[int], classes: int) -> Self:
        """What `Images` would have learned from another data set of images; its classes are 0, 1, ...

        Args:
            pixels: What that data set keeps in a checkpoint, see `InMemoryDataModule.state_dict`.
            input_shape: Of its inputs.
            classes: Their number.

        Raises:
            UserError: If its pixels were transformed behind their scaling.
        """
        if pixels["transform"] is not None:
            raise UserError(
                f"Images: the model was trained on pixels after {pixels['transform']}, which a file's do not have."
            )
        unit = 255 / pixels["maximum"]  # its pixels may end at another number than a file's
        shift, scale = (tuple(unit * value for value in pixels["scaling"][name]) for name in ("shift", "scale"))
        return cls((), tuple(input_shape), tuple(range(classes)), classes, Affine(shift, scale), "")

    def require_same(self, before: "Learned", owner: str) -> None:
        """Refuse to go on with a training of other examples.

        Args:
            before: What the checkpoint's training split has taught.
            owner: Who refuses.

        Raises:
            UserError: Naming what differs.
        """
        for each in fields(self):
            was, is_now = getattr(before, each.name), getattr(self, each.name)
            if was != is_now:
                told = (
                    ""
                    if each.name in ("scaling", "digest")
                    else f" had {each.name} {_short(was)}, now {_short(is_now)}"
                )
                raise UserError(
                    f"{owner}: the checkpoint's training split{told or ' had other examples'}. Give the data "
                    "that it was trained on, or begin anew with its weights: --weights."
                )


def digest(inputs: np.ndarray, targets: np.ndarray) -> str:
    """SHA-256 of arrays, as hexadecimal digits."""
    sums = hashlib.sha256()
    for array in (inputs, targets):
        sums.update(np.ascontiguousarray(array).data)
    return sums.hexdigest()


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
