"""What fails in the second epoch of training."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_vi.datamodules.transforms import Transform

BATCHES = 10
"""Of an epoch of scikit-learn's digits."""


class FailingCallback(Callback):
    """Fails behind the first step."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if trainer.current_epoch == 1:
            raise KeyError("a bug of a callback")


class FailingTransform(Transform):
    """Fails as a loader of data does that draws them anew at every step."""

    fresh = True

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, inputs: Tensor, noise: Tensor, maximum: float) -> Tensor:
        self.calls += 1
        if self.calls == 2 * BATCHES:
            raise OSError("a disk that is gone")
        return inputs
