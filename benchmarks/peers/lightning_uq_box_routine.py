"""lightning-uq-box: ``BNN_VI_ELBO_Classification``, which converts a network and is trained by Lightning."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.peers.complexity import NoData, Term
from benchmarks.peers.setting import EXAMPLES, LARGE, gaussian_prior, minibatch
from benchmarks.step import ADAM


def module(widths: Sequence[int], criterion: nn.Module, beta: float = 100) -> Any:
    """The routine with one sample (its default is 10) and otherwise its defaults."""
    from lightning_uq_box.models import MLP
    from lightning_uq_box.uq_methods import BNN_VI_ELBO_Classification

    network = MLP(n_inputs=widths[0], n_hidden=list(widths[1:-1]), n_outputs=widths[-1], activation_fn=nn.ReLU())
    return BNN_VI_ELBO_Classification(network, criterion=criterion, beta=beta, num_mc_samples_train=1, optimizer=ADAM)


def terms() -> list[Term]:
    """Its default weight, and the number of weights, which the documentation of ``beta`` recommends."""
    x, y = minibatch(LARGE)
    weights = sum((inputs + 1) * outputs for inputs, outputs in pairwise(LARGE))
    result = []
    for where, beta in (("default beta = 100", 100), (f"beta = number of weights, {weights}", weights)):
        routine = module(LARGE, NoData(), beta)
        routine.num_training_points = EXAMPLES  # otherwise set by the Trainer when training starts

        def added(routine: Any = routine) -> Tensor:
            loss: Tensor = routine.compute_elbo_loss(x, y)[0]
            return loss / EXAMPLES  # it is N times the mean over the minibatch

        reason = "sum over tensors of the mean over each tensor's weights, times beta"
        posterior = partial(_posterior, routine)
        result.append(Term(f"lightning-uq-box, {where}", added, posterior, routine, gaussian_prior(), LARGE, reason))
    return result


def _posterior(routine: nn.Module) -> list[tuple[Tensor, Tensor]]:
    parameters = dict(routine.named_parameters())
    return [
        (mu, F.softplus(parameters[name.replace("mu_", "rho_")]))
        for name, mu in parameters.items()
        if name.endswith(("mu_weight", "mu_bias"))
    ]
