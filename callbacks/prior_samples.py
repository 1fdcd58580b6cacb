from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from lightning_vi import latent_pictures
from lightning_vi.callbacks.latent_picture import LatentPicture
from lightning_vi.latent_space import generative

SEED = 0


class PriorSamples(LatentPicture):
    """Draws expected images of latent variables from their prior, as `prior_samples`; the same draws for every model.

    It is drawn after training, and again after a test, which may have loaded another checkpoint.

    Args:
        rows: Rows of images.
        columns: Images in a row.

    Raises:
        UserError: Unless both are positive.
    """

    name = "prior_samples"

    def __init__(self, rows: int = 8, columns: int = 10) -> None:
        super().__init__()
        self._require_at_least(1, rows=rows, columns=columns)
        self.rows, self.columns = rows, columns

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, on rank zero."""
        self.draw(trainer, pl_module)

    def figure(self, trainer: Trainer, module: LightningModule) -> Figure:
        """See `LatentPicture.figure`."""
        return latent_pictures.samples(generative(module), self.rows, self.columns, SEED)
