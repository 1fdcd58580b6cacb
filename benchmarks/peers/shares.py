"""Is the default loss the ELBO? Each peer's complexity term beside KL[q || p] / N."""

from collections.abc import Callable, Iterable
from functools import partial

import torch

from benchmarks.peers import (
    bayesian_torch_layers,
    blitz_layers,
    lightning_uq_box_routine,
    naive,
    ours,
    torch_uncertainty_layers,
    torchbayesian_module,
    tyxe_network,
)
from benchmarks.peers.complexity import Share, Term, share
from benchmarks.peers.failures import Failure, attempt
from benchmarks.peers.setting import EXAMPLES

Terms = Callable[[], list[Term]]
PEERS: dict[str, Terms] = {
    "lightning-vi": ours.terms,
    "naive torch.distributions": naive.terms,
    "bayesian-torch": bayesian_torch_layers.terms,
    "torchbayesian": torchbayesian_module.terms,
    "TyXe": tyxe_network.terms,
    "lightning-uq-box": lightning_uq_box_routine.terms,
    "blitz": blitz_layers.terms,
    "torch-uncertainty": torch_uncertainty_layers.terms,
}


def rows(failures: list[Failure], names: Iterable[str] = tuple(PEERS)) -> list[tuple[Term, Share]]:
    """All terms of these peers, each of a network in its own initial state."""
    measured = [attempt(f"complexity, {name}", partial(_measure, PEERS[name]), failures) for name in names]
    return [pair for pairs in measured for pair in pairs or []]


def _measure(terms: Terms) -> list[tuple[Term, Share]]:
    torch.manual_seed(0)
    return [(term, share(term, EXAMPLES)) for term in terms()]
