"""The whole comparison on a problem: every method, every seed."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch

from benchmarks.hmc import nuts
from benchmarks.hmc.comparison import Figure, compare
from benchmarks.hmc.nuts import Chains
from benchmarks.hmc.problems import Problem
from benchmarks.hmc.report import ENSEMBLE, HALF, MEAN_FIELD, MIXTURE, NUTS, SECONDS, Line
from benchmarks.hmc.training import mean_fields, point_estimates
from lightning_vi.likelihoods import Categorical
from lightning_vi.predictive import Predictive

_WATCHED = 60  # inputs at which the chains must agree


@dataclass(frozen=True)
class Effort:
    """How long everything runs.

    Args:
        chains: Of the sampler.
        warmup: Draws of each chain that are thrown away.
        samples: Draws of each chain that are kept.
        epochs: Of training posteriors, which takes longer than point estimates: their gradients are random.
        point_epochs: Of training point estimates.
        members: Seeds of each training, which are an ensemble together.
        draws: Of the weights of each Bayesian network, for its predictive distribution.
    """

    chains: int
    warmup: int
    samples: int
    epochs: int
    point_epochs: int
    members: int
    draws: int


FULL = Effort(chains=4, warmup=500, samples=750, epochs=2500, point_epochs=500, members=10, draws=200)
QUICK = Effort(chains=2, warmup=20, samples=20, epochs=3, point_epochs=3, members=2, draws=10)


class Fit(NamedTuple):
    """What a method makes of the data.

    Attributes:
        method: Its name.
        seed: Of its initial weights and noise.
        at_grid: p(y | x, D) at the grid.
        on_test: The same at the test inputs.
        seconds: Wall time of its training or sampling; of networks that are trained side by side, a share of it.
    """

    method: str
    seed: int
    at_grid: Predictive
    on_test: Predictive
    seconds: float


def run(problem: Problem, effort: Effort) -> tuple[list[Line], dict[str, list[Predictive]]]:
    """All numbers, and for each method its predictive distributions at the grid, one for each seed."""
    chains = nuts.sample(problem, effort.chains, effort.warmup, effort.samples)
    lines, at_grid = _of_chains(problem, chains), dict[str, list[Predictive]]()
    for fit in (*_sampled(problem, chains), *_mean_fields(problem, effort), _point_estimates(problem, effort)):
        at_grid.setdefault(fit.method, []).append(fit.at_grid)
        reference, *_ = at_grid[NUTS]
        figures = [*compare(problem, reference, fit.at_grid, fit.on_test), Figure(SECONDS, "", fit.seconds)]
        lines += [Line(problem.name, fit.method, fit.seed, *figure) for figure in figures]
    return lines, at_grid


def _of_chains(problem: Problem, chains: Chains) -> list[Line]:
    """Whether the sampler can be believed: of functions of the weights, since the weights are not identified."""
    some = problem.grid[:: max(1, len(problem.grid) // _WATCHED)]
    outputs = nuts.outputs(problem, chains, some)
    values = outputs.softmax(dim=-1)[..., 1] if isinstance(problem.likelihood, Categorical) else outputs.squeeze(-1)
    of = nuts.convergence(values)
    figures = {
        "divergences": chains.divergences,
        "acceptance": chains.acceptance,
        "steps": chains.steps,
        "r_hat": of.r_hat,
        "effective": of.effective,
    }
    return [Line(problem.name, NUTS, 0, name, "", value) for name, value in figures.items()]


def _sampled(problem: Problem, chains: Chains) -> Iterator[Fit]:
    """The sampler, and half of its chains.

    If chains are independent, a mean over all has an error of variance v, and those over halves of 2 v each. The
    difference of a half from all is half that of the halves, of variance 4 v / 4: as large as the error of all.
    """
    at_grid, on_test = (nuts.outputs(problem, chains, inputs) for inputs in (problem.grid, problem.test.tensors[0]))
    half = len(at_grid) // 2
    for method, which in ((NUTS, slice(None)), (HALF, slice(half))):
        grid, test = (Predictive(problem.likelihood, outputs[which].flatten(0, 1)) for outputs in (at_grid, on_test))
        yield Fit(method, 0, grid, test, chains.seconds)


def _mean_fields(problem: Problem, effort: Effort) -> Iterator[Fit]:
    """Each of them, and their mixture with equal shares."""
    start = time.monotonic()
    module = mean_fields(problem, effort.epochs, effort.members, effort.draws)
    seconds = time.monotonic() - start
    with torch.no_grad():
        at_grid, on_test = (module.outputs(inputs) for inputs in (problem.grid, problem.test.tensors[0]))
    for seed in range(effort.members):
        grid, test = (Predictive(problem.likelihood, outputs[seed]) for outputs in (at_grid, on_test))
        yield Fit(MEAN_FIELD, seed, grid, test, seconds / effort.members)
    grid, test = (Predictive(problem.likelihood, outputs.flatten(0, 1)) for outputs in (at_grid, on_test))
    yield Fit(MIXTURE, 0, grid, test, seconds)


def _point_estimates(problem: Problem, effort: Effort) -> Fit:
    start = time.monotonic()
    module = point_estimates(problem, effort.point_epochs, effort.members)
    seconds = time.monotonic() - start
    return Fit(ENSEMBLE, 0, module.predictive(problem.grid), module.predictive(problem.test.tensors[0]), seconds)
