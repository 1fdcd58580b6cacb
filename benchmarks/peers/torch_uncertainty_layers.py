"""torch-uncertainty: a network of ``BayesLinear`` layers and ``ELBOLoss``."""

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


def network(widths: Sequence[int]) -> nn.Module:
    """A network with the scale mixture of the measured steps for its prior."""
    from torch_uncertainty.layers import BayesLinear

    return sequential(widths, partial(BayesLinear, prior_sigma_1=WIDE, prior_sigma_2=NARROW, prior_pi=0.5))


def step(units: int, x: Tensor, y: Tensor) -> Step:
    """A step with one sample and the weight 1 / N, which the documentation of ``ELBOLoss`` calls typical."""
    from torch_uncertainty.losses import ELBOLoss

    net = network(sizes(units))
    criterion = ELBOLoss(net, nn.CrossEntropyLoss(), kl_weight=1 / EXAMPLES, num_samples=1)
    return training_step(partial(criterion, x, y), SGD(net.parameters()))


def terms() -> list[Term]:
    """The weight is a required argument; its documentation says 1 / N, its tutorial 1 / 10,000 for 60,000 images."""
    from torch_uncertainty.losses import ELBOLoss

    def posterior(net: nn.Module) -> list[tuple[Tensor, Tensor]]:
        parameters = dict(net.named_parameters())
        return [
            (mu, F.softplus(parameters[name.removesuffix("mu") + "sigma"]))
            for name, mu in parameters.items()
            if name.endswith(("weight_mu", "bias_mu"))
        ]

    x, y = minibatch(SMALL)
    result = []
    for where, weight in (("kl_weight = 1 / N", 1 / EXAMPLES), ("tutorial, kl_weight = 1 / 10,000", 1e-4)):
        net = network(SMALL)
        loss = ELBOLoss(net, NoData(), kl_weight=weight, num_samples=1)

        def added(loss: Any = loss) -> Tensor:
            value: Tensor = loss(x, y)
            return value

        reason = "divided by the number of layers, 3; a stray -0.5 per weight in log q"
        result.append(
            Term(
                f"torch-uncertainty, {where}",
                added,
                partial(posterior, net),
                net,
                mixture_prior(),
                SMALL,
                reason,
                draws=2000,
            )
        )
    return result
