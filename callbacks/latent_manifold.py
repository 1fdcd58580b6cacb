from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from lightning_vi import latent_pictures
from lightning_vi.callbacks.latent_picture import LatentPicture
from lightning_vi.latent_space import generative

SEED = 0


class LatentManifold(LatentPicture):
    """Draws a grid of images over two latent variables in equal steps of prior probability, as `latent_manifold`.

    It needs a model whose last layer has two latent variables; layers below have the same noise in all images. It is
    drawn after training, and again after a test, which may have loaded another checkpoint.

    Args:
        side: Images in a row and in a column.

    Raises:
        UserError: Unless it is positive.

    References:
        Kingma, Welling 2014, Auto-Encoding Variational Bayes, figure 4.
    """

    name = "latent_manifold"

    def __init__(self, side: int = 20) -> None:
        super().__init__()
        self._require_at_least(1, side=side)
        self.side = side

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, on rank zero."""
        self.draw(trainer, pl_module)

    def figure(self, trainer: Trainer, module: LightningModule) -> Figure:
        """See `LatentPicture.figure`."""
        return latent_pictures.manifold(generative(module), self.side, self.side, SEED)
