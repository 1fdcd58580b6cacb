"""What an autoencoder says of examples, for use elsewhere."""

from typing import NamedTuple

from torch import Tensor


class Codes(NamedTuple):
    """Codes of B examples, D variables each.

    Attributes:
        mean: Of q(h | x), or the code itself of a deterministic encoder; (B, D).
        standard_deviation: Of q(h | x), (B, D); None for a deterministic encoder.
        scores: By name, each (B,).
    """

    mean: Tensor
    standard_deviation: Tensor | None
    scores: dict[str, Tensor]
