import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from lightning_vi.callbacks.examples import splits_of
from lightning_vi.callbacks.latent_picture import LatentPicture
from lightning_vi.functional.neighbours import nearest
from lightning_vi.latent_space import generative, prior_samples, require_images
from lightning_vi.plots import image_rows

SEED = 0


class NearestTrainingImages(LatentPicture):
    """Draws generated images above the training images nearest to them, as `nearest_training_images`.

    Distances are Euclidean over pixels. Pairs that are alike to the pixel are copies.

    Args:
        rows: Rows of pairs.
        columns: Pairs in a row.

    Raises:
        UserError: Unless both are positive.
    """

    name = "nearest_training_images"

    def __init__(self, rows: int = 4, columns: int = 10) -> None:
        super().__init__()
        self._require_at_least(1, rows=rows, columns=columns)
        self.rows, self.columns = rows, columns

    def figure(self, trainer: Trainer, module: LightningModule) -> Figure:
        """See `LatentPicture.figure`."""
        model = generative(module)
        require_images(model)
        training = splits_of(trainer).training.tensors[0].float()
        images = prior_samples(model, self.rows * self.columns, SEED).float().cpu()
        neighbours = training[nearest(images.flatten(1), training.flatten(1)).indices]
        pairs = torch.stack([each.unflatten(0, (self.rows, self.columns)) for each in (images, neighbours)], dim=1)
        labels = ["generated", "training"] * self.rows
        title = "Generated images and the training images nearest to them"
        return image_rows(pairs.flatten(0, 1).clamp(0, 1), title, labels)
