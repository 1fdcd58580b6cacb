"""blitz: a ``variational_estimator`` of ``BayesianLinear`` layers, and its ``sample_elbo``."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.peers.complexity import NoData, Term
from benchmarks.peers.setting import (
    EXAMPLES,
    NARROW,
    SMALL,
    WIDE,
    Step,
    minibatch,
    mixture_prior,
    sequential,
    sizes,
)
from benchmarks.step import SGD, training_step


def network(widths: Sequence[int]) -> Any:
    """A network with the scale mixture of the measured steps for its prior."""
    from blitz.modules import BayesianLinear
    from blitz.utils import variational_estimator

    @variational_estimator
    class BayesianNetwork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            prior = {"prior_sigma_1": WIDE, "prior_sigma_2": NARROW, "prior_pi": 0.5}
            self.layers = sequential(widths, partial(BayesianLinear, **prior))

        def forward(self, x: Tensor) -> Tensor:
            outputs: Tensor = self.layers(x)
            return outputs

    return BayesianNetwork()


def step(units: int, x: Tensor, y: Tensor) -> Step:
    """A step with one sample and the weight 1 / N; the README's 3 samples take about three times as long."""
    net = network(sizes(units))
    criterion = nn.CrossEntropyLoss()
    loss = partial(
        net.sample_elbo, inputs=x, labels=y, criterion=criterion, sample_nbr=1, complexity_cost_weight=1 / EXAMPLES
    )
    return training_step(loss, SGD(net.parameters()))


def terms() -> list[Term]:
    """The README leaves the weight of the complexity term at its default of 1."""

    def posterior(net: nn.Module) -> list[tuple[Tensor, Tensor]]:
        from blitz.modules.weight_sampler import TrainableRandomDistribution

        samplers = [module for module in net.modules() if isinstance(module, TrainableRandomDistribution)]
        return [(sampler.mu, F.softplus(sampler.rho)) for sampler in samplers]

    x, y = minibatch(SMALL)
    result = []
    for where, weight in (("README, default weight of 1", 1.0), ("complexity_cost_weight = 1 / N", 1 / EXAMPLES)):
        net = network(SMALL)

        def added(net: Any = net, weight: float = weight) -> Tensor:
            loss: Tensor = net.sample_elbo(
                inputs=x, labels=y, criterion=NoData(), sample_nbr=1, complexity_cost_weight=weight
            )
            return loss

        if weight == 1.0:
            reason = "the sum over all weights is added to the mean over a minibatch: N times the ELBO's"
        else:
            reason = "stray constants of -0.5 per weight in log q and in log p cancel"
        result.append(
            Term(f"blitz, {where}", added, partial(posterior, net), net, mixture_prior(), SMALL, reason, draws=2000)
        )
    return result
