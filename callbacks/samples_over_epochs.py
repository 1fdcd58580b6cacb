from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.notices import Notices
from lightning_vi.errors import require_at_least
from lightning_vi.evaluating import evaluating
from lightning_vi.latent_space import NothingToDraw, generative, images_of, require_images
from lightning_vi.plots import image_rows

SEED = 0


class SamplesOverEpochs(Callback):
    """Draws what the same latent variables become over training, as `samples_over_epochs`.

    A row shows expected images after 1, 2, 4, 8, ... epochs, the last one after all of them. The latent variables and
    the images are part of the checkpoint, so that a resumed run goes on with both.

    Args:
        columns: Number of images in a row.

    Raises:
        UserError: If there are none.
    """

    def __init__(self, columns: int = 10) -> None:
        require_at_least("SamplesOverEpochs", 1, columns=columns)
        self.columns = columns
        self._notices = Notices()
        self._latents: Tensor | None = None  # (columns, D_L), of the standard normal prior
        self._images: dict[int, Tensor] = {}  # by epoch, (columns, C, H, W), bytes

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Keep images of an epoch that ends, if its number is a power of two: a checkpoint behind it has them."""
        epochs = trainer.current_epoch + 1
        if trainer.is_last_batch and epochs & (epochs - 1) == 0 and trainer.is_global_zero:
            images = self._drawn(pl_module)
            if images is not None:
                self._images[epochs] = images

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, on rank zero."""
        images = self._drawn(pl_module) if trainer.is_global_zero else None
        if images is not None:
            # The last row is this run's alone: a longer one that goes on from its checkpoint has its own.
            rows = {**self._images, trainer.current_epoch: images}
            labels = [f"{epochs} epoch{'s' * (epochs != 1)}" for epochs in sorted(rows)]
            pixels = torch.stack([rows[epochs] for epochs in sorted(rows)]).float() / 255.0
            log_image(trainer, "samples_over_epochs", image_rows(pixels, "The same noise over training", labels))

    def state_dict(self) -> dict[str, Any]:
        """The latent variables and the images so far."""
        return {"latents": self._latents, "images": dict(self._images)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with them."""
        self._latents, self._images = state_dict["latents"], dict(state_dict["images"])

    def _drawn(self, module: LightningModule) -> Tensor | None:
        """Images (columns, C, H, W) of this run's latent variables, as bytes; None, and why, if there are none."""
        try:
            model = generative(module)
            require_images(model)
        except NothingToDraw as reason:
            self._notices.say(f"SamplesOverEpochs draws nothing: {reason}.")
            return None
        if self._latents is None or self._latents.shape != (self.columns, model.sizes[-1]):
            generator = torch.Generator().manual_seed(SEED)
            self._latents = torch.randn(self.columns, model.sizes[-1], generator=generator)
        with evaluating(module):
            images = images_of(model, self._latents, SEED)
        return (255.0 * images).round().byte().cpu()
