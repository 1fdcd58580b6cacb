"""How good generated images are, in numbers."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import TensorDataset

from lightning_vi.callbacks.examples import splits_of
from lightning_vi.callbacks.notices import Notices
from lightning_vi.errors import require_at_least
from lightning_vi.evaluating import evaluating
from lightning_vi.image_scores import ImageScores, digit_scores
from lightning_vi.latent_space import Generative, NothingToDraw, generative, prior_samples, require_images

SEED = 0
DIGIT = (1, 28, 28)
BLOCK = 1000  # images that are generated at once


class GeneratedImages(Callback):
    """Logs :class:`ImageScores` of images that a model generates, as `test/parzen`, `test/fid` and so on.

    They are expected images of draws from the prior, always the same draws, by the process of rank zero, and compared
    with the test images. During training they may be logged as `val/...` too, compared with the validation images.
    Without validation images Parzen's sigma is chosen on training images. That of `val/parzen` is chosen on images that
    it is then measured on, and fewer windows make it lower: it compares epochs, not models.

    Args:
        count: Number of generated images; figures are comparable at the same number only.
        digits: Whether the data are MNIST's digits: then features and classes are measured, by the network that comes
            with the package. Of images of another size never.
        every_n_epochs: Of training, to measure on validation images; 0 for never.
        val_count: Number of generated images there.

    Raises:
        UserError: If a number is too small.
    """

    def __init__(
        self, count: int = 10_000, digits: bool = False, every_n_epochs: int = 0, val_count: int = 2000
    ) -> None:
        require_at_least("GeneratedImages", 20, count=count, val_count=val_count)
        require_at_least("GeneratedImages", 0, every_n_epochs=every_n_epochs)
        self.count, self.digits, self.every_n_epochs, self.val_count = count, digits, every_n_epochs, val_count
        self._notices = Notices()
        self._measures: dict[str, ImageScores] = {}  # of the real images, by split

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Forget the real images of another run."""
        self._measures.clear()

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure on validation images, if it is time."""
        training = trainer.state.fn == "fit" and not trainer.sanity_checking
        if training and self.every_n_epochs and (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._log(trainer, pl_module, "val", self.val_count)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure on test images."""
        self._log(trainer, pl_module, "test", self.count)

    def _log(self, trainer: Trainer, module: LightningModule, split: str, count: int) -> None:
        if not trainer.is_global_zero:
            return
        try:
            model = generative(module)
            require_images(model)
            measure = self._measure(trainer, split)
        except NothingToDraw as reason:
            self._notices.say(f"GeneratedImages logs nothing: {reason}.")
            return
        with evaluating(module):
            images = generated(model, count)
        for name, value in measure.measure(images).scores().items():
            # Nothing is reduced for rank zero alone; without sync_dist Lightning would warn of it.
            module.log(f"{split}/{name}", value, rank_zero_only=True, sync_dist=True)

    def _measure(self, trainer: Trainer, split: str) -> ImageScores:
        if split not in self._measures:
            parts = splits_of(trainer)
            training, validation, test = (_images(each) for each in (parts.training, parts.validation, parts.test))
            compared = test if split == "test" else validation
            if len(compared) == 0:
                raise NothingToDraw(f"there are no images in the {split} split")
            make = digit_scores if self.digits and test.shape[1:] == DIGIT else ImageScores
            self._measures[split] = make(training, validation if len(validation) else training, compared)
        return self._measures[split]


def generated(model: Generative, count: int) -> Tensor:
    """Expected images (count, C, H, W) of draws from the prior, on the CPU."""
    starts = range(0, count, BLOCK)
    blocks = [prior_samples(model, min(BLOCK, count - first), SEED + first) for first in starts]
    return torch.cat([each.float().cpu() for each in blocks])


def _images(data: TensorDataset) -> Tensor:
    return data.tensors[0].float()
