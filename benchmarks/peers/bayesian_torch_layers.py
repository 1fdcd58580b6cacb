"""bayesian-torch: a network converted by ``dnn_to_bnn``, and the loss of its README."""

from collections.abc import Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.peers.complexity import Term
from benchmarks.peers.setting import BATCH, EXAMPLES, LARGE, Step, gaussian_prior, sequential, sizes
from benchmarks.step import SGD, training_step


def network(widths: Sequence[int], kind: str) -> nn.Module:
    """A network of ``LinearReparameterization`` or ``LinearFlipout`` layers, with the README's settings."""
    from bayesian_torch.models.dnn_to_bnn import dnn_to_bnn

    net = sequential(widths)
    dnn_to_bnn(
        net,
        {
            "prior_mu": 0.0,
            "prior_sigma": 1.0,
            "posterior_mu_init": 0.0,
            "posterior_rho_init": -3.0,
            "type": kind,
            "moped_enable": False,
            "moped_delta": 0.5,
        },
    )
    return net


def _step(units: int, x: Tensor, y: Tensor, kind: str) -> Step:
    from bayesian_torch.models.dnn_to_bnn import get_kl_loss

    net = network(sizes(units), kind)
    return training_step(lambda: F.cross_entropy(net(x), y) + get_kl_loss(net) / BATCH, SGD(net.parameters()))


reparameterization = partial(_step, kind="Reparameterization")
flipout = partial(_step, kind="Flipout")


def terms() -> list[Term]:
    """The README divides by the size of the minibatch, the MNIST example by that of the training set."""
    from bayesian_torch.models.dnn_to_bnn import get_kl_loss

    def posterior(net: nn.Module) -> list[tuple[Tensor, Tensor]]:
        layers = [layer for layer in net.modules() if "mu_weight" in dict(layer.named_parameters(recurse=False))]
        return [
            (layer.get_parameter(f"mu_{kind}"), F.softplus(layer.get_parameter(f"rho_{kind}")))
            for layer in layers
            for kind in ("weight", "bias")
        ]

    result = []
    for where, divisor in (("README, kl / batch size", BATCH), ("MNIST example, kl / N", EXAMPLES)):
        net = network(LARGE, "Reparameterization")

        def added(net: nn.Module = net, divisor: int = divisor) -> Tensor:
            kl: Tensor = get_kl_loss(net)
            return kl / divisor

        reason = "`kl_div` returns the mean over a tensor's weights, not the sum"
        if divisor == BATCH:
            reason += "; divided by the minibatch's size, not the training set's"
        result.append(
            Term(f"bayesian-torch, {where}", added, partial(posterior, net), net, gaussian_prior(), LARGE, reason)
        )
    return result
