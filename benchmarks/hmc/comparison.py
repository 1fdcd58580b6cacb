"""How far a predictive distribution is from the sampler's, region by region of the inputs."""

from typing import NamedTuple

from torch import Tensor

from benchmarks.hmc.problems import Problem
from lightning_vi.likelihoods import Categorical
from lightning_vi.predictive import Predictive

DISTANCE, UNCERTAINTY, NLL = "distance", "uncertainty", "nll"


class Figure(NamedTuple):
    """One number.

    Attributes:
        measure: DISTANCE, see :func:`distance`. UNCERTAINTY, see :func:`uncertainty`. NLL, mean of -log p(y | x, D) of
            test data, in nats.
        region: Where.
    """

    measure: str
    region: str
    value: float


def compare(problem: Problem, reference: Predictive, predictive: Predictive, on_test: Predictive) -> list[Figure]:
    """All measures in all regions.

    Args:
        problem: The problem.
        reference: The sampler's, at the problem's grid.
        predictive: What is judged, at the grid.
        on_test: The same at the inputs of the test data.
    """
    figures = []
    for region, where in problem.regions(problem.grid).items():
        figures.append(Figure(DISTANCE, region, distance(problem, reference, predictive, where)))
        figures.append(Figure(UNCERTAINTY, region, uncertainty(problem, predictive, where)))
    inputs, targets = problem.test.tensors
    nll = on_test.nll(targets)
    return figures + [Figure(NLL, name, nll[where].mean().item()) for name, where in problem.regions(inputs).items()]


def distance(problem: Problem, reference: Predictive, predictive: Predictive, where: Tensor) -> float:
    """Between two predictive means, at the inputs of the grid that are chosen, (G,), bool.

    Of numbers the root mean square difference, in units of the target; of two classes the mean absolute difference of
    a class's probability, which is the total variation distance.
    """
    if isinstance(problem.likelihood, Categorical):
        difference = (predictive.probabilities - reference.probabilities)[where]
        return 0.5 * difference.abs().sum(dim=1).mean().item()
    return (predictive.mean - reference.mean)[where].square().mean().sqrt().item()


def uncertainty(problem: Problem, predictive: Predictive, where: Tensor) -> float:
    """How much the networks of a predictive distribution disagree, at the inputs of the grid that are chosen, (G,).

    Of numbers the standard deviation of f(x), geometric mean over inputs, in units of the target; of classes the mutual
    information of class and weights, mean over inputs, in nats.
    """
    if isinstance(problem.likelihood, Categorical):
        return predictive.mutual_information[where].mean().item()
    return (0.5 * predictive.epistemic_variance[where].log().mean()).exp().item()
