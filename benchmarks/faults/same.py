"""What a run has come to, and whether that is what another has come to, bit for bit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

OF_THE_CLOCK = ("Timer",)
PATHS = ("dirpath", "best_model_path", "best_k_models", "kth_best_model_path", "last_model_path")


@dataclass(frozen=True)
class Outcome:
    """A run's checkpoint (weights, optimizers, schedules, random states, curves, counts) and its `metrics.csv`."""

    checkpoint: dict[str, Any]
    metrics: bytes

    @classmethod
    def of(cls, folder: Path) -> "Outcome":
        """That of the one run below a folder."""
        runs = sorted(path.parent.parent for path in folder.glob("runs/*/*/checkpoints/last.ckpt"))
        assert len(runs) == 1, runs
        checkpoint = torch.load(runs[0] / "checkpoints" / "last.ckpt", weights_only=True)
        callbacks = {key: each for key, each in checkpoint["callbacks"].items() if not key.startswith(OF_THE_CLOCK)}
        for state in callbacks.values():
            for name in PATHS:
                state.pop(name, None)
        return cls(checkpoint | {"callbacks": callbacks}, (runs[0] / "metrics.csv").read_bytes())


def require_same(one: Outcome, other: Outcome) -> None:
    """Compare all of two outcomes.

    Raises:
        AssertionError: naming the first difference.
    """
    _compare(one.checkpoint, other.checkpoint, "last.ckpt")
    assert one.metrics == other.metrics, f"metrics.csv:\n{one.metrics.decode()}\nand\n{other.metrics.decode()}"


def _compare(one: Any, other: Any, where: str) -> None:
    assert type(one) is type(other), f"{where}: {type(one)} and {type(other)}"
    if isinstance(one, dict):
        assert one.keys() == other.keys(), f"{where}: {list(one)} and {list(other)}"
        for key in one:
            _compare(one[key], other[key], f"{where}: {key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), f"{where}: {len(one)} and {len(other)}"
        for number, pair in enumerate(zip(one, other, strict=True)):
            _compare(*pair, f"{where}: {number}")
    elif isinstance(one, Tensor):
        assert one.dtype == other.dtype, f"{where}: {one.dtype} and {other.dtype}"
        assert torch.equal(one.view(-1).view(torch.uint8), other.view(-1).view(torch.uint8)), where
    else:
        assert one == other, f"{where}: {one} and {other}"
