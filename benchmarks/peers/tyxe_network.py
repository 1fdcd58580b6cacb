"""TyXe: a network in a ``VariationalBNN`` of Pyro's, trained by its ``fit``."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor

from benchmarks.peers.complexity import Term
from benchmarks.peers.setting import EXAMPLES, LARGE, Step, gaussian_prior, minibatch, sequential, sizes


def network(widths: Sequence[int]) -> Any:
    """A classifier with the prior N(0, 1) and a factorised Gaussian guide."""
    import pyro.distributions as dist
    import tyxe

    prior = tyxe.priors.IIDPrior(dist.Normal(0, 1))
    likelihood = tyxe.likelihoods.Categorical(EXAMPLES)
    inference = partial(tyxe.guides.AutoNormal, init_scale=0.01)
    return tyxe.VariationalBNN(sequential(widths), prior, likelihood, inference)


def step(units: int, x: Tensor, y: Tensor) -> Step:
    """An epoch of one minibatch; its loss is N times that of the others, and the step size as much smaller."""
    import pyro

    pyro.clear_param_store()
    net = network(sizes(units))
    optimizer = pyro.optim.SGD({"lr": 1e-3 / EXAMPLES, "fused": True})
    return partial(net.fit, [(x, y)], optimizer, 1)


def terms() -> list[Term]:
    """The loss is linear in the number of examples, so that two numbers give the part that is not the data's."""
    import pyro
    import torch
    from pyro.infer import TraceMeanField_ELBO

    pyro.clear_param_store()
    net = network(LARGE)
    x, y = minibatch(LARGE)

    def loss(examples: int) -> Tensor:
        torch.manual_seed(0)
        net.likelihood.dataset_size = examples
        value: Tensor = TraceMeanField_ELBO().differentiable_loss(net.model, net.guide, x, y)
        return value

    def added() -> Tensor:
        return (2.0 * loss(EXAMPLES) - loss(2 * EXAMPLES)) / EXAMPLES

    def posterior() -> list[tuple[Tensor, Tensor]]:
        guide = net.net_guide
        names = [name for name, _ in guide.prototype_trace.iter_stochastic_nodes()]
        return [(guide.get_loc(name), guide.get_scale(name)) for name in names]

    loss(EXAMPLES)  # the guide makes its parameters when it is first run
    reason = "`fit` scales the data's term to N examples and sums the divergence"
    return [Term("TyXe, fit", added, posterior, net, gaussian_prior(), LARGE, reason)]
