"""Bayes by Backprop as written first: a ``torch.distributions`` object for every weight tensor, layer by layer."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution, Normal, kl_divergence

from benchmarks.peers.complexity import Posterior, Term
from benchmarks.peers.setting import EXAMPLES, LARGE, SMALL, Step, gaussian_prior, minibatch, mixture_prior, sizes
from benchmarks.step import SGD, training_step


class NaiveNetwork(nn.Module):
    """Rectifier network with q(w) = N(mu, softplus(rho)^2) for every weight and bias.

    Args:
        widths: Layer sizes, inputs first.
        prior: p(w) of a single weight.
    """

    def __init__(self, widths: Sequence[int], prior: Distribution) -> None:
        super().__init__()
        means = [parameter for pair in pairwise(widths) for parameter in nn.Linear(*pair).parameters()]
        self.mu = nn.ParameterList(means)
        self.rho = nn.ParameterList([torch.full_like(mean, -5.0) for mean in means])
        self.prior = prior

    def posterior(self) -> list[tuple[Tensor, Tensor]]:
        """Means and standard deviations: weight and bias of the first layer, of the second, and so on."""
        return [(mu, F.softplus(rho)) for mu, rho in zip(self.mu, self.rho, strict=True)]

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (B, K) for inputs (B, D) at one draw of the weights, and their complexity (), in nats."""
        draws, complexity = [], torch.zeros(())
        for mu, sigma in self.posterior():
            q = Normal(mu, sigma)
            w = q.rsample()
            draws.append(w)
            if isinstance(self.prior, Normal):
                complexity = complexity + kl_divergence(q, self.prior).sum()
            else:
                complexity = complexity + (q.log_prob(w) - self.prior.log_prob(w)).sum()
        hidden = inputs
        for weight, bias in zip(draws[:-2:2], draws[1:-2:2], strict=True):
            hidden = F.relu(F.linear(hidden, weight, bias))
        return F.linear(hidden, draws[-2], draws[-1]), complexity


def _step(units: int, x: Tensor, y: Tensor, prior: Distribution) -> Step:
    net = NaiveNetwork(sizes(units), prior)

    def loss() -> Tensor:
        outputs, complexity = net(x)
        total: Tensor = F.cross_entropy(outputs, y) + complexity / EXAMPLES
        return total

    return training_step(loss, SGD(net.parameters()))


def gaussian_step(units: int, x: Tensor, y: Tensor) -> Step:
    """A step with the Gaussian prior, whose divergence has a closed form."""
    return _step(units, x, y, gaussian_prior())


def mixture_step(units: int, x: Tensor, y: Tensor) -> Step:
    """A step with the scale mixture, by Monte Carlo."""
    return _step(units, x, y, mixture_prior())


def terms() -> list[Term]:
    """What both variants add to the loss."""
    result = []
    for name, prior, widths, draws in (
        ("Gaussian prior", gaussian_prior(), LARGE, 1),
        ("scale mixture", mixture_prior(), SMALL, 2000),
    ):
        net = NaiveNetwork(widths, prior)
        x, _ = minibatch(widths)
        posterior: Posterior = net.posterior

        def added(net: NaiveNetwork = net, x: Tensor = x) -> Tensor:
            complexity: Tensor = net(x)[1]
            return complexity / EXAMPLES

        reason = "written by hand: sum over all weights, divided by N"
        result.append(Term(f"naive torch.distributions, {name}", added, posterior, net, prior, widths, reason, draws))
    return result
