from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from lightning_vi.callbacks.examples import first_examples
from lightning_vi.callbacks.latent_picture import LatentPicture
from lightning_vi.latent_space import NothingToDraw, codes, encoder_decoder
from lightning_vi.plots import code_scatter


class LatentCodes(LatentPicture):
    """Draws the codes of test examples as points, coloured by class, as `latent_codes`.

    Codes of two variables are drawn as they are, longer ones by their first two principal components.

    Args:
        count: How many of the first test examples.

    Raises:
        UserError: Unless there are two.
    """

    name = "latent_codes"

    def __init__(self, count: int = 2000) -> None:
        super().__init__()
        self._require_at_least(2, count=count)
        self.count = count

    def figure(self, trainer: Trainer, module: LightningModule) -> Figure:
        """See `LatentPicture.figure`."""
        # Imported here: scikit-learn takes longer to import than the command line to print its help.
        from sklearn.decomposition import PCA

        model = encoder_decoder(module)
        examples = first_examples(trainer, self.count)
        points = codes(model, examples.inputs).double().cpu().numpy()
        if min(points.shape) < 2:
            raise NothingToDraw(f"a plane needs 2 codes of 2 variables, not codes of shape {points.shape}")
        labels = ["Latent variable 0", "Latent variable 1"]
        if points.shape[1] > 2:
            pca = PCA(2, svd_solver="full").fit(points)
            points = pca.transform(points)
            shares = zip(("First", "Second"), pca.explained_variance_ratio_, strict=True)
            labels = [f"{name} principal component ({100 * share:.0f} % of the variance)" for name, share in shares]
        return code_scatter(points, None if examples.classes is None else examples.classes.cpu(), *labels)
