"""A generator of numbers judged against the distribution function that it is to learn."""

from typing import Protocol, runtime_checkable

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.notices import Notices
from lightning_vi.errors import UserError
from lightning_vi.evaluating import evaluating
from lightning_vi.latent_space import Generative, NothingToDraw, generative
from lightning_vi.plots import learned_map

GRID = 400
SEED = 0


@runtime_checkable
class Known(Protocol):
    """A datamodule of numbers whose distribution is known."""

    def cdf(self, x: Tensor) -> Tensor:
        """F(x), elementwise."""

    def quantile(self, u: Tensor) -> Tensor:
        """F^-1(u), elementwise."""


class LearnedMap(Callback):
    """Logs `test/ks`, the Kolmogorov-Smirnov distance of generated numbers, and draws the map that is learnt.

    T(z) ~ F has one solution that rises everywhere, T(z) = F^-1(P(z)) with P the distribution function of the noise. It
    is drawn as `learned_map` beside the generator. It takes generators of one number from one noise variable.

    Args:
        count: Number of generated numbers N; the distance of exact draws is about 0.87 / sqrt(N).

    Raises:
        UserError: If there are none.
    """

    def __init__(self, count: int = 10_000) -> None:
        if count < 1:
            raise UserError(f"LearnedMap: count (={count}) must be at least 1.")
        self.count = count
        self._notices = Notices()

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure, and draw on rank zero."""
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set at run time
        try:
            model = generative(pl_module)
            if tuple(model.input_shape) != (1,) or model.sizes[-1] != 1 or not isinstance(datamodule, Known):
                raise NothingToDraw("it takes one noise variable, and data that are numbers with a known distribution")
        except NothingToDraw as reason:
            self._notices.say(f"LearnedMap logs nothing: {reason}.")
            return
        like = next(pl_module.parameters())
        normal = torch.randn(self.count, 1, generator=torch.Generator().manual_seed(SEED))
        z = torch.linspace(-3.0, 3.0, GRID).unsqueeze(-1)
        with evaluating(pl_module), torch.no_grad():
            samples, learned = (_of(model, each.to(like)) for each in (normal, z))
        distance = kolmogorov_smirnov(samples, datamodule.cdf(samples))
        # Nothing is reduced for rank zero alone; without sync_dist Lightning would warn of it.
        pl_module.log("test/ks", distance, rank_zero_only=True, sync_dist=True)
        true = datamodule.quantile(torch.special.ndtr(z.squeeze(-1).double()))
        x = torch.linspace(float(true[0]), float(true[-1]), GRID, dtype=torch.float64)
        step = 1e-3
        density = (datamodule.cdf(x + step) - datamodule.cdf(x - step)) / (2 * step)
        log_image(trainer, "learned_map", learned_map(z.squeeze(-1), learned, true, samples, x, density))


def kolmogorov_smirnov(samples: Tensor, probabilities: Tensor) -> Tensor:
    """sup_x |F_N(x) - F(x)|, shape (), for samples (N,) of which F is given, (N,)."""
    sorted_probabilities = probabilities[samples.argsort()]
    count = len(samples)
    steps = torch.arange(count + 1, dtype=torch.float64) / count
    above, below = (steps[1:] - sorted_probabilities).max(), (sorted_probabilities - steps[:-1]).max()
    return torch.maximum(above, below)


def _of(model: Generative, normal: Tensor) -> Tensor:
    """Generated numbers (N,) for standard normal variables (N, 1), on the CPU."""
    return model.descend(normal).squeeze(-1).float().cpu()
