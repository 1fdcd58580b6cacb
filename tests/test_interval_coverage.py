import pytest
import torch
from torch import Tensor

from lightning_vi.interval_coverage import IntervalCoverage
from lightning_vi.likelihoods import HeteroscedasticGaussian
from lightning_vi.predictive import Predictive


def coverage(*levels: Tensor) -> dict[str, float]:
    metric = IntervalCoverage()
    for each in levels:
        metric.update(each)
    return {name: float(value) for name, value in metric.compute().items()}


def test_is_the_share_between_the_predictives_quantiles() -> None:
    outputs, targets = torch.randn(5, 400, 2).double(), torch.randn(400, 1).double()
    predictive = Predictive(HeteroscedasticGaussian(), outputs)
    found = coverage(*predictive.cdf(targets).split(150))
    for percent in (50, 90, 95):
        low, high = predictive.quantiles([0.5 - percent / 200, 0.5 + percent / 200])
        inside = (low <= targets) & (targets <= high)
        assert found[f"coverage_{percent}"] == pytest.approx(100 * float(inside.double().mean()))


def test_of_uniform_levels_it_is_the_nominal_one() -> None:
    found = coverage((torch.arange(2000) + 0.5).view(-1, 2) / 2000)
    assert found == pytest.approx({"coverage_50": 50.0, "coverage_90": 90.0, "coverage_95": 95.0})
