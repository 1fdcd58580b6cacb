from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor

from lightning_vi.callbacks.class_predictions import class_predictions
from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.notices import Notices
from lightning_vi.plots import reliability_diagram

BINS = 15


class ReliabilityDiagram(Callback):
    """Draws accuracy against confidence on the test set, as `reliability_diagram`, for a classifier.

    Confidences fall into 15 bins ((b - 1)/15, b/15] of equal width. Only sums per bin are kept, and added up over
    devices.
    """

    def __init__(self) -> None:
        self._sums: Tensor | None = None
        self._notices = Notices()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget an earlier test."""
        self._sums = None

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, *_: Any) -> None:
        """Add the batch to the bins."""
        predictions = class_predictions(outputs)
        if predictions is None:
            self._notices.say(f"ReliabilityDiagram draws nothing: {type(pl_module).__name__} predicts no classes.")
            return
        confidence, predicted = predictions.probabilities.max(dim=-1)
        added = bin_sums(confidence, predicted == predictions.targets)
        self._sums = added if self._sums is None else self._sums + added

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add up over devices and draw."""
        if self._sums is None:
            return
        sums = trainer.strategy.reduce(self._sums, reduce_op="sum")
        if trainer.is_global_zero:
            log_image(trainer, "reliability_diagram", reliability_diagram(*sums.cpu().numpy()))


def bin_sums(confidence: Tensor, correct: Tensor) -> Tensor:
    """Number of predictions, sum of confidences and number of right ones in each bin.

    Args:
        confidence: (B,), in (0, 1].
        correct: (B,), bool.

    Returns:
        (3, BINS), of the confidences' type.
    """
    edges = torch.linspace(0, 1, BINS + 1, device=confidence.device)
    index = torch.bucketize(confidence, edges[1:-1])
    rows = torch.stack((torch.ones_like(confidence), confidence, correct.to(confidence.dtype)))
    return rows.new_zeros(3, BINS).index_add(1, index, rows)
