r"""What a loss adds for the complexity of the weights, beside what the evidence lower bound demands.

Per training example the negative ELBO adds KL[q || p] / N. For q = prod_i N(mu_i, sigma_i^2) and a prior that is the
same for each weight, it is a sum of one-dimensional integrals,

.. math:: KL[q \,\|\, p] = \sum_i -\tfrac12 \log(2 \pi e \sigma_i^2) - E_{\epsilon \sim N(0, 1)}[\log p(\mu_i +
          \sigma_i \epsilon)],

in closed form for a Gaussian prior and by the trapezoidal rule for others. An implementation's
term is averaged over draws where it is random. Two ratios compare them: that of the values, and that of the
gradients by the implementation's own parameters, <g, g*> / <g*, g*>: a constant that a loss adds
changes its value and not what it trains.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal, kl_divergence

Posterior = Callable[[], list[tuple[Tensor, Tensor]]]
_NODES = torch.linspace(-7.0, 7.0, 1401, dtype=torch.float64)  # beyond them lies 3e-12 of epsilon


@dataclass(frozen=True)
class Term:
    """The complexity term of one implementation's loss, on a network in its initial state.

    Args:
        name: Implementation, and where the scaling is documented.
        added: Draws what the loss adds, shape () or (1,), nats per training example, differentiable.
        posterior: Means and standard deviations of all weight tensors, as functions of the parameters.
        module: Owns the parameters.
        prior: p(w) of a single weight.
        widths: Layer sizes of the network.
        reason: Where it comes from.
        draws: How many to average over.
    """

    name: str
    added: Callable[[], Tensor]
    posterior: Posterior
    module: nn.Module
    prior: Distribution
    widths: Sequence[int]
    reason: str
    draws: int = 1


class NoData(nn.Module):
    """A criterion that is 0, so that a loss is its complexity term alone."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """0 for any outputs and targets, shape ()."""
        return 0.0 * outputs.sum()


@dataclass(frozen=True)
class Share:
    """A term beside KL[q || p] / N.

    Attributes:
        exact: KL[q || p] / N, nats per training example.
        added: What the loss adds instead.
        gradient: <g, g*> / <g*, g*> with g the gradient of ``added`` and g* that of ``exact``.
    """

    exact: float
    added: float
    gradient: float

    @property
    def ratio(self) -> float:
        """1 for the ELBO."""
        return self.added / self.exact


def exact_kl(posterior: list[tuple[Tensor, Tensor]], prior: Distribution) -> Tensor:
    """KL[q || p] in nats, shape (), float64, differentiable.

    Args:
        posterior: Means and standard deviations of the weight tensors, of any shape.
        prior: p(w) of a single weight.
    """
    mu = torch.cat([mean.flatten() for mean, _ in posterior]).double()
    sigma = torch.cat([scale.flatten() for _, scale in posterior]).double()
    if isinstance(prior, Normal):
        return kl_divergence(Normal(mu, sigma), prior).sum()
    weights = torch.softmax(-0.5 * _NODES.square(), 0)
    cross = (prior.log_prob(mu[:, None] + sigma[:, None] * _NODES) * weights).sum()
    entropy = (0.5 * math.log(2 * math.pi * math.e) + sigma.log()).sum()
    return -entropy - cross


def share(term: Term, examples: int) -> Share:
    """Value and gradient of a term by those of KL[q || p] / N, with N examples."""
    parameters = [parameter for parameter in term.module.parameters() if parameter.requires_grad]

    def gradient(value: Tensor) -> Tensor:
        pieces = torch.autograd.grad(value, parameters, allow_unused=True, materialize_grads=True)
        return torch.cat([piece.flatten() for piece in pieces]).double()

    exact = exact_kl(term.posterior(), term.prior) / examples
    direction = gradient(exact)
    added, slope = 0.0, torch.zeros_like(direction)
    for _ in range(term.draws):
        value = term.added().sum()
        added += value.item() / term.draws
        slope += gradient(value) / term.draws
    return Share(exact.item(), added, (slope @ direction / (direction @ direction)).item())
