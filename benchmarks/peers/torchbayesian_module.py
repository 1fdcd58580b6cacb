"""torchbayesian: any network in its ``BayesianModule``, and ``kl_divergence``."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.peers.complexity import Term
from benchmarks.peers.setting import EXAMPLES, LARGE, Step, gaussian_prior, sequential, sizes
from benchmarks.step import SGD, training_step


def network(widths: Sequence[int]) -> Any:
    """A network with the default posterior and prior, N(0, 1)."""
    from torchbayesian import bnn

    return bnn.BayesianModule(sequential(widths))


def step(units: int, x: Tensor, y: Tensor) -> Step:
    """A step with the summed divergence, divided by N, which its documentation leaves to the user."""
    net = network(sizes(units))
    return training_step(lambda: F.cross_entropy(net(x), y) + net.kl_divergence() / EXAMPLES, SGD(net.parameters()))


def terms() -> list[Term]:
    """Its example multiplies a mean over weights by 0.1; the method's default is the sum."""

    def posterior(net: nn.Module) -> list[tuple[Tensor, Tensor]]:
        parameters = dict(net.named_parameters())
        return [
            (mu, F.softplus(parameters[name.removesuffix("mu") + "rho"]))
            for name, mu in parameters.items()
            if name.endswith(".mu")
        ]

    kinds: tuple[tuple[str, Callable[[Any], Tensor], str], ...] = (
        (
            'example, 0.1 x kl_divergence("mean")',
            lambda net: 0.1 * net.kl_divergence(reduction="mean"),
            "a mean over all weights, times 0.1; the example says that it is a heuristic",
        ),
        (
            "kl_divergence() / N",
            lambda net: net.kl_divergence() / EXAMPLES,
            "the default reduction is the sum; the division by N is the user's",
        ),
    )
    result = []
    for where, added, reason in kinds:
        net = network(LARGE)
        result.append(
            Term(
                f"torchbayesian, {where}",
                partial(added, net),
                partial(posterior, net),
                net,
                gaussian_prior(),
                LARGE,
                reason,
            )
        )
    return result
