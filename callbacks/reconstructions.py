from typing import Protocol, runtime_checkable

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from lightning_vi.callbacks.examples import first_examples
from lightning_vi.callbacks.latent_picture import LatentPicture
from lightning_vi.corruptions import Corruption
from lightning_vi.latent_space import codes, decoded, encoder_decoder, require_images
from lightning_vi.plots import image_rows

SEED = 0


@runtime_checkable
class Denoising(Protocol):
    """A module that may learn to undo a corruption."""

    corruption: Corruption | None


class Reconstructions(LatentPicture):
    """Draws test examples above the expected images of their codes, as `reconstructions`.

    A module that is trained with a corruption is shown corrupted examples, which stand in between; always with the
    same noise. Pixels are shown from 0 to 1; what lies outside is cut.

    Args:
        count: How many of the first test examples.

    Raises:
        UserError: Unless it is positive.
    """

    name = "reconstructions"

    def __init__(self, count: int = 12) -> None:
        super().__init__()
        self._require_at_least(1, count=count)
        self.count = count

    def figure(self, trainer: Trainer, module: LightningModule) -> Figure:
        """See `LatentPicture.figure`."""
        model = encoder_decoder(module)
        require_images(model)
        originals = first_examples(trainer, self.count).inputs.to(module.device)
        rows = {"original": originals}
        seen = originals
        corruption = module.corruption if isinstance(module, Denoising) else None
        if corruption is not None:
            seen = corruption(originals, torch.Generator(module.device).manual_seed(SEED))
            rows["corrupted"] = seen
        rows["reconstruction"] = decoded(model, codes(model, seen))
        images = torch.stack([each.float().clamp(0, 1).cpu() for each in rows.values()])
        return image_rows(images, "Reconstructions of test examples", list(rows))
