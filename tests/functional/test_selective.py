import numpy as np
import pytest
import torch

from lightning_vi.functional.selective import area_under_risk_coverage, selective_risks


def risk_by_thresholds(confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Without equals, from the definition: the error of what is at least as confident as each example."""
    return np.array([1 - correct[confidence >= threshold].mean() for threshold in -np.sort(-confidence)])


def test_risks_are_the_errors_above_each_threshold() -> None:
    rng = np.random.default_rng(0)
    confidence, correct = rng.uniform(size=60), rng.integers(2, size=60)
    risks = selective_risks(torch.from_numpy(confidence), torch.from_numpy(correct))
    expected = risk_by_thresholds(confidence, correct)
    np.testing.assert_allclose(risks.numpy(), expected, atol=1e-12)
    area = area_under_risk_coverage(torch.from_numpy(confidence), torch.from_numpy(correct))
    assert float(area) == pytest.approx(expected.mean())


def test_equals_count_as_on_average_over_their_orders() -> None:
    """The mean over random orders, each without equals, within five standard errors."""
    rng = np.random.default_rng(0)
    confidence, correct = rng.integers(4, size=30) / 4, rng.integers(2, size=30)
    found = float(area_under_risk_coverage(torch.from_numpy(confidence), torch.from_numpy(correct)))
    areas = [risk_by_thresholds(confidence + 1e-6 * rng.uniform(size=30), correct).mean() for _ in range(2000)]
    assert abs(np.mean(areas) - found) < 5 * np.std(areas) / np.sqrt(len(areas))


def test_rejecting_at_random_and_the_best_order() -> None:
    correct = torch.tensor([1, 1, 0, 1, 0])
    assert float(area_under_risk_coverage(torch.ones(5).double(), correct)) == pytest.approx(0.4)
    best = torch.tensor([0.9, 0.8, 0.1, 0.7, 0.2]).double()
    assert float(area_under_risk_coverage(best, correct)) == pytest.approx((1 / 4 + 2 / 5) / 5)
