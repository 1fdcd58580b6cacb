from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torchmetrics import CatMetric

from lightning_vi.callbacks.class_predictions import class_predictions
from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.notices import Notices
from lightning_vi.functional.selective import selective_risks
from lightning_vi.plots import accuracy_rejection


class AccuracyRejection(Callback):
    """Draws accuracy against the share of test examples rejected, as `accuracy_rejection`, for a classifier.

    The least confident are rejected first. Confidences are gathered from all devices.
    """

    def __init__(self) -> None:
        self._confidence, self._correct = (CatMetric(nan_strategy="disable") for _ in range(2))
        self._notices = Notices()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget an earlier test."""
        for metric in (self._confidence, self._correct):
            metric.reset()
            metric.to(pl_module.device)

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, *_: Any) -> None:
        """Keep the batch's confidences."""
        predictions = class_predictions(outputs)
        if predictions is None:
            self._notices.say(f"AccuracyRejection draws nothing: {type(pl_module).__name__} predicts no classes.")
            return
        confidence, predicted = predictions.probabilities.max(dim=-1)
        self._confidence.update(confidence)
        self._correct.update(predicted == predictions.targets)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather from all devices and draw."""
        if not self._confidence.update_called:
            return
        risks = selective_risks(self._confidence.compute(), self._correct.compute())
        if trainer.is_global_zero:
            log_image(trainer, "accuracy_rejection", accuracy_rejection(risks.cpu().numpy()))
