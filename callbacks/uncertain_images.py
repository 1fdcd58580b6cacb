from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor

from lightning_vi.callbacks.class_predictions import class_predictions
from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.notices import Notices
from lightning_vi.errors import UserError
from lightning_vi.plots import image_grid


class Examples(NamedTuple):
    """Entropies (N,) in nats, images (N, C, H, W), true and predicted classes (N,)."""

    entropy: Tensor
    image: Tensor
    target: Tensor
    predicted: Tensor


class UncertainImages(Callback):
    """Draws the test images with the highest predictive entropy, as `uncertain_images`, for a classifier.

    Args:
        count: How many images.

    Raises:
        UserError: Unless `count` is positive.
    """

    def __init__(self, count: int = 18) -> None:
        if count < 1:
            raise UserError(f"UncertainImages: count (={count}) must be at least 1.")
        self.count = count
        self._worst: Examples | None = None
        self._notices = Notices()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget an earlier test."""
        self._worst = None

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, batch: Any, *_: Any
    ) -> None:
        """Keep the most uncertain images so far."""
        predictions = class_predictions(outputs)
        images = batch[0]
        if predictions is None or images.ndim != 4 or images.shape[1] not in (1, 3):
            self._notices.say(
                f"UncertainImages draws nothing: {type(pl_module).__name__} predicts no classes of images."
            )
            return
        examples = Examples(predictions.entropy, images, predictions.targets, predictions.probabilities.argmax(dim=-1))
        self._worst = worst(examples if self._worst is None else _join(self._worst, examples), self.count)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather from all devices and draw."""
        if self._worst is None:
            return
        padded = _pad(self._worst, self.count)
        gathered = Examples(*(trainer.strategy.all_gather(part).reshape(-1, *part.shape[1:]) for part in padded))
        if trainer.is_global_zero:
            chosen = worst(gathered, self.count)
            real = chosen.entropy.isfinite()
            entropy, images, targets, predicted = (part[real].cpu() for part in chosen)
            captions = [
                f"true {y}, predicted {k}\n{h:.2f} nats"
                for y, k, h in zip(targets.tolist(), predicted.tolist(), entropy.tolist(), strict=True)
            ]
            title = "Most uncertain test images, by predictive entropy"
            wrong = (targets != predicted).tolist()
            log_image(trainer, "uncertain_images", image_grid(images.numpy(), captions, wrong, title))


def worst(examples: Examples, count: int) -> Examples:
    """The `count` examples of highest entropy, or all if there are fewer, in descending order."""
    index = examples.entropy.topk(min(count, len(examples.entropy))).indices
    return Examples(*(part[index] for part in examples))


def _join(first: Examples, second: Examples) -> Examples:
    return Examples(*(torch.cat(parts) for parts in zip(first, second, strict=True)))


def _pad(examples: Examples, count: int) -> Examples:
    """Exactly `count` examples, as gathering wants the same from every device; the padding has entropy -inf."""
    missing = count - len(examples.entropy)
    padding = Examples(*(part.new_zeros(missing, *part.shape[1:]) for part in examples))
    return _join(examples, padding._replace(entropy=padding.entropy - torch.inf))
