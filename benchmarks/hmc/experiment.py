"""The whole comparison on a problem: every method, every seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from benchmarks.hmc import nuts
from benchmarks.hmc.comparison import compare
from benchmarks.hmc.nuts import Chains
from benchmarks.hmc.problems import Problem
from benchmarks.hmc.report import ENSEMBLE, HALF, MEAN_FIELD, MIXTURE, NUTS, SECONDS, Line
from benchmarks.hmc.training import Fit, bayes_by_backprop, ensemble
from lightning_vi.likelihoods import Categorical
from lightning_vi.modules import MeanField
from lightning_vi.predictive import Predictive

_WATCHED = 60  # inputs at which the chains must agree


@dataclass(frozen=True)
class Effort:
    """How long everything runs.

    Args:
        chains: Of the sampler.
        warmup: Draws of each chain that are thrown away.
        samples: Draws of each chain that are kept.
        epochs: Of each training.
        seeds: Repetitions of each training.
        members: Of an ensemble.
        draws: Of the weights for a predictive distribution; an ensemble's members share them.
    """

    chains: int
    warmup: int
    samples: int
    epochs: int
    seeds: int
    members: int
    draws: int


FULL = Effort(chains=4, warmup=1000, samples=1000, epochs=3000, seeds=5, members=10, draws=1000)
QUICK = Effort(chains=2, warmup=20, samples=20, epochs=3, seeds=2, members=2, draws=20)


def run(problem: Problem, effort: Effort) -> tuple[list[Line], dict[str, list[Predictive]]]:
    """All numbers, and for each method its predictive distributions at the grid, one for each seed."""
    chains = nuts.sample(problem, effort.chains, effort.warmup, effort.samples)
    lines, predictives = _of_chains(problem, chains), dict[str, list[Predictive]]()
    for fit in (*_sampled(problem, chains), *_trained(problem, effort)):
        at_grid, on_test = fit.predictive(problem.grid), fit.predictive(problem.test.tensors[0])
        predictives.setdefault(fit.method, []).append(at_grid)
        reference, *_ = predictives[NUTS]
        figures = compare(problem, reference, at_grid, on_test)
        lines += [Line(problem.name, fit.method, fit.seed, *figure) for figure in figures]
        lines.append(Line(problem.name, fit.method, fit.seed, SECONDS, "", fit.seconds))
    return lines, predictives


def _of_chains(problem: Problem, chains: Chains) -> list[Line]:
    """Whether the sampler can be believed: of functions of the weights, since the weights are not identified."""
    some = problem.grid[:: max(1, len(problem.grid) // _WATCHED)]
    outputs = nuts.outputs(problem, _pooled(chains, slice(None)), some)
    values = outputs.softmax(dim=-1)[..., 1] if isinstance(problem.likelihood, Categorical) else outputs.squeeze(-1)
    of = nuts.convergence(values.unflatten(0, next(iter(chains.weights.values())).shape[:2]))
    figures = {
        "divergences": chains.divergences,
        "acceptance": chains.acceptance,
        "steps": chains.steps,
        "r_hat": of.r_hat,
        "effective": of.effective,
    }
    return [Line(problem.name, NUTS, 0, name, "", value) for name, value in figures.items()]


def _sampled(problem: Problem, chains: Chains) -> Iterator[Fit]:
    """The sampler, and each half of its chains.

    If chains are independent, a mean over all has an error of variance v, and those over halves of 2 v each. The
    difference of a half from all is half that of the halves, of variance 4 v / 4: as large as the error of all.
    """
    half = len(next(iter(chains.weights.values()))) // 2
    for method, seed, which in (
        (NUTS, 0, slice(None)),
        (HALF, 0, slice(half)),
        (HALF, 1, slice(half, None)),
    ):
        yield Fit(method, seed, _prediction(problem, _pooled(chains, which)), chains.seconds)


def _prediction(problem: Problem, weights: dict[str, Tensor]) -> Callable[[Tensor], Predictive]:
    def predictive(inputs: Tensor) -> Predictive:
        return Predictive(problem.likelihood, nuts.outputs(problem, weights, inputs))

    return predictive


def _pooled(chains: Chains, which: slice) -> dict[str, Tensor]:
    """The draws of some chains, (S, *shape) each."""
    return {name: draws[which].flatten(0, 1) for name, draws in chains.weights.items()}


def _trained(problem: Problem, effort: Effort) -> Iterator[Fit]:
    for seed in range(effort.seeds):
        yield bayes_by_backprop(problem, MEAN_FIELD, seed, effort.epochs, effort.draws)
    for number in range(effort.seeds):
        seed = number * effort.members  # a member's seed is that of the ensemble plus its number
        yield ensemble(problem, ENSEMBLE, seed, effort.epochs, effort.members)
        mean_field = MeanField(problem.prior, draws=effort.draws // effort.members)
        yield ensemble(problem, MIXTURE, seed, effort.epochs, effort.members, mean_field)
