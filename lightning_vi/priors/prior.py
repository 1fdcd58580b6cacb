"""What a prior over weights must offer: a log density; the rest follows by Monte Carlo."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from lightning_vi.functional import elementary
from lightning_vi.functional.divergence import HALF_LOG_TWO_PI
from lightning_vi.priors.rule import PriorRule


class Prior(PriorRule):
    """A density p(w) over single weights, the same for each of them.

    A prior of your own needs :meth:`log_prob` alone. Its complexity term KL[q || p] is then estimated at the draw,
    log q(w) - log p(w) with w = mu + sigma * epsilon, and its gradient found by automatic differentiation. Override
    :meth:`score` to save time, :meth:`complexity` and :meth:`complexity_gradient` where the divergence has a closed
    form. All methods on weights are elementwise, in nats, and must be traceable by ``torch.compile``.
    """

    def assign(self, shapes: Mapping[str, torch.Size]) -> dict[str, "Prior"]:
        """See :meth:`PriorRule.assign`; this one for all."""
        return dict.fromkeys(shapes, self)

    @abstractmethod
    def log_prob(self, weights: Tensor) -> Tensor:
        """log p(w), elementwise; any shape."""

    def score(self, weights: Tensor) -> Tensor:
        """d log p(w) / dw, elementwise; any shape."""
        gradient: Tensor = torch.func.grad(lambda w: self.log_prob(w).sum())(weights)
        return gradient

    def complexity(self, mu: Tensor, sigma: Tensor, epsilon: Tensor) -> Tensor:
        """An unbiased estimate of KL[N(mu, sigma^2) || p] per weight, shapes (n,)."""
        log_q = -HALF_LOG_TWO_PI - elementary.log(sigma) - 0.5 * epsilon.square()
        return log_q - self.log_prob(mu + sigma * epsilon)

    def score_of_draw(self, mu: Tensor, sigma: Tensor, epsilon: Tensor) -> Tensor | None:
        """What :meth:`complexity_gradient` takes from the forward pass, where it shares its terms with the value.

        The score at the draw, shape (n,); None for a closed form, which needs none.
        """
        return self.score(mu + sigma * epsilon)

    def complexity_gradient(
        self, mu: Tensor, sigma: Tensor, epsilon: Tensor, score: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Total derivatives of :meth:`complexity` by mu and by sigma, shapes (n,), given :meth:`score_of_draw`."""
        assert score is not None
        return -score, -score * epsilon - sigma.reciprocal()
