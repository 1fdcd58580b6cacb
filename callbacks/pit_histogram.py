from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor
from torch.distributions import Independent, Normal

from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.notices import Notices
from lightning_vi.plots import pit_histogram
from lightning_vi.predictive import Predictive

BINS = 20


class PITHistogram(Callback):
    """Draws how the levels F(y) of the test targets under their predictive distributions fall, as `pit_histogram`.

    For a regression with a Gaussian likelihood; all dimensions of the targets together. Only counts in 20 bins of equal
    width are kept, and added up over devices.
    """

    def __init__(self) -> None:
        self._counts: Tensor | None = None
        self._notices = Notices()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget an earlier test."""
        self._counts = None

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, *_: Any) -> None:
        """Add the batch to the bins."""
        levels = _levels(outputs)
        if levels is None:
            self._notices.say(
                f"PITHistogram draws nothing: {type(pl_module).__name__} predicts no numbers with Gaussian noise."
            )
            return
        added = bin_counts(levels)
        self._counts = added if self._counts is None else self._counts + added

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add up over devices and draw."""
        if self._counts is None:
            return
        counts = trainer.strategy.reduce(self._counts, reduce_op="sum")
        if trainer.is_global_zero:
            log_image(trainer, "pit_histogram", pit_histogram(counts.cpu().numpy()))


def bin_counts(levels: Tensor) -> Tensor:
    """Number of levels in each bin, (BINS,), float; levels in [0, 1], of any shape."""
    index = (levels.flatten() * BINS).long().clamp(max=BINS - 1)
    return torch.zeros(BINS, device=levels.device).index_add(0, index, torch.ones(len(index), device=levels.device))


def _levels(outputs: STEP_OUTPUT) -> Tensor | None:
    """F(y), (B, D), if the step returned `{"predictive": ..., "targets": ...}` of such a regression; else None."""
    if not isinstance(outputs, dict):
        return None
    predictive, targets = outputs.get("predictive"), outputs.get("targets")
    if not isinstance(predictive, Predictive) or not isinstance(targets, Tensor):
        return None
    conditional = predictive.conditional
    is_gaussian = isinstance(conditional, Independent) and isinstance(conditional.base_dist, Normal)
    return predictive.cdf(targets) if is_gaussian else None
