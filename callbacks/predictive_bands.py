from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.notices import Notices
from lightning_vi.errors import UserError
from lightning_vi.evaluating import evaluating
from lightning_vi.plots import predictive_bands
from lightning_vi.predictive import Predictive

GRID_SIZE = 400
SHOWN = 1000  # training points: more would hide the mean
LEVELS = (0.05, 0.25)


class PredictiveBands(Callback):
    """Draws mean and quantiles of the predictive distribution of a regression from R to R, as `predictive_bands`.

    The bands hold 50 % and 90 % of the distribution, noise included. They are drawn after training, and again
    after a test in the same process, which may have loaded another checkpoint.

    Args:
        margin: How far to look beyond the training inputs on either side, in widths of their range.

    Raises:
        UserError: If `margin` is negative.

    References:
        Blundell et al., Weight Uncertainty in Neural Networks, 2015, figure 5.
    """

    def __init__(self, margin: float = 1.0) -> None:
        if margin < 0:
            raise UserError(f"PredictiveBands: margin (={margin}) must not be negative.")
        self.margin = margin
        self._data: tuple[Tensor, Tensor] | None = None
        self._notices = Notices()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the training points and draw."""
        self._data = _training_points(trainer.train_dataloader)
        if self._data is None:
            self._notices.say("PredictiveBands draws nothing: the training data are no pairs of two numbers.")
        self._draw(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, if the training points are known."""
        self._draw(trainer, pl_module)

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._data is None or not trainer.is_global_zero:
            return
        x, y = self._data
        width = float(x.max() - x.min())
        low, high = float(x.min()) - self.margin * width, float(x.max()) + self.margin * width
        grid = torch.linspace(low, high, GRID_SIZE).unsqueeze(-1)
        with evaluating(pl_module), torch.no_grad():
            predictive = pl_module.predict_step(grid.to(pl_module.device), 0)
            if not isinstance(predictive, Predictive):
                self._notices.say(
                    f"PredictiveBands draws nothing: {type(pl_module).__name__} gives no predictive distribution."
                )
                return
            mean = predictive.mean.squeeze(-1).cpu()
            quantiles = predictive.quantiles([*LEVELS, *(1 - level for level in LEVELS)]).squeeze(-1).cpu()
        lower, upper = quantiles.numpy().reshape(2, len(LEVELS), GRID_SIZE)
        bands = dict(zip(LEVELS, zip(lower, upper, strict=True), strict=True))
        figure = predictive_bands(grid.squeeze(-1).numpy(), mean.numpy(), bands, (x.numpy(), y.numpy()))
        log_image(trainer, "predictive_bands", figure)


def _training_points(loader: Any) -> tuple[Tensor, Tensor] | None:
    """Inputs and targets, each (N,), of the first examples, if both are single real numbers."""
    x, y = loader.dataset[0]
    if x.shape != (1,) or y.shape != (1,) or not y.is_floating_point():
        return None
    points = [loader.dataset[index] for index in range(min(len(loader.dataset), SHOWN))]
    inputs, targets = (torch.cat(column).cpu() for column in zip(*points, strict=True))
    return inputs, targets
