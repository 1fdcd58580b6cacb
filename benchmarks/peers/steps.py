"""A training step of each peer against ours and against a deterministic one, on 784-U-U-10 with minibatches of 128."""

from functools import partial

import torch

from benchmarks.pairs import Row, alternate
from benchmarks.peers import (
    bayesian_torch_layers,
    blitz_layers,
    naive,
    torch_uncertainty_layers,
    torchbayesian_module,
    tyxe_network,
)
from benchmarks.peers.failures import Failure, attempt
from benchmarks.peers.setting import BATCH, Peer, Step
from benchmarks.step import PRIORS, bayesian, deterministic

GAUSSIAN, MIXTURE = PRIORS
DETERMINISTIC = "deterministic"
PEERS = (
    Peer("bayesian-torch, reparameterisation", GAUSSIAN, bayesian_torch_layers.reparameterization),
    Peer("bayesian-torch, flipout", GAUSSIAN, bayesian_torch_layers.flipout),
    Peer("torchbayesian", GAUSSIAN, torchbayesian_module.step),
    Peer("TyXe", GAUSSIAN, tyxe_network.step),
    Peer("naive torch.distributions", GAUSSIAN, naive.gaussian_step),
    Peer("blitz", MIXTURE, blitz_layers.step, bound=3.5),
    Peer("torch-uncertainty", MIXTURE, torch_uncertainty_layers.step),
    Peer("naive torch.distributions", MIXTURE, naive.mixture_step),
)


def rows(repeats: int, failures: list[Failure]) -> list[Row]:
    """Milliseconds per step; for either prior the deterministic step is one of the references."""
    result = []
    for units in (400, 1200):
        size = f"784-{units}-{units}-10"
        x, y = torch.randn(BATCH, 784), torch.randint(10, (BATCH,))
        functions: dict[str, Step] = {DETERMINISTIC: deterministic(units, x, y)}
        functions |= {prior: bayesian(units, x, y, PRIORS[prior][0]) for prior in PRIORS}
        for peer in PEERS:
            step = attempt(f"{_label(peer)}, {size}", partial(_first, peer, units, x, y), failures)
            if step is not None:
                functions[_label(peer)] = step
        times = alternate(functions, repeats)
        for prior in PRIORS:
            result.append(Row(f"step, {prior}, {DETERMINISTIC}", size, times[prior], times[DETERMINISTIC]))
            result += [
                Row(_label(peer), size, times[prior], times[_label(peer)], peer.bound)
                for peer in PEERS
                if peer.prior == prior and _label(peer) in times
            ]
    return result


def _label(peer: Peer) -> str:
    return f"step, {peer.prior}, {peer.name}"


def _first(peer: Peer, units: int, x: torch.Tensor, y: torch.Tensor) -> Step:
    """The peer's step after it has run once: what fails does so here."""
    step = peer.build(units, x, y)
    step()
    return step
