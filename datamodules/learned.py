"""What a training split has taught: the examples of a prediction are read and scaled as those of the training were."""

import hashlib
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
        digest: SHA-256 of the training split's scaled inputs and its targets.
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
