from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from lightning_vi.callbacks.examples import first_examples
from lightning_vi.callbacks.latent_picture import LatentPicture
from lightning_vi.callbacks.units import measured_units
from lightning_vi.latent_paths import axes
from lightning_vi.latent_pictures import traversed, value_labels
from lightning_vi.latent_space import codes, decoded, encoder_decoder, require_images
from lightning_vi.plots import image_rows


class LatentTraversals(LatentPicture):
    """Draws what one latent variable at a time does to the first test example, as `latent_traversals`.

    Those of the first layer with the highest KL go from -3 to 3, the others stay at the example's code.

    Args:
        latents: How many of them.
        steps: Images for each.

    Raises:
        UserError: Unless there is a latent variable, and two steps.
    """

    name = "latent_traversals"

    def __init__(self, latents: int = 8, steps: int = 9) -> None:
        super().__init__()
        self._require_at_least(1, latents=latents)
        self._require_at_least(2, steps=steps)
        self.latents, self.steps = latents, steps

    def figure(self, trainer: Trainer, module: LightningModule) -> Figure:
        """See `LatentPicture.figure`."""
        model = encoder_decoder(module)
        require_images(model)
        kl = measured_units(module)[0].kl
        chosen = kl.argsort(descending=True, stable=True)[: self.latents].tolist()
        (centre,) = codes(model, first_examples(trainer, 1).inputs)
        values = traversed(self.steps)
        images = decoded(model, axes(centre, chosen, values))
        labels = [f"latent {variable}: {float(kl[variable]):.2f} nats" for variable in chosen]
        title = "Traversals of the latent variables with the highest KL"
        return image_rows(images.float().cpu(), title, labels, value_labels(values))
