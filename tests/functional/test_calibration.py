import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve

from lightning_vi.functional.calibration import adaptive_calibration_error


def test_is_scikit_learns_reliability_in_quantile_bins() -> None:
    """With 15 bins of 20 predictions each."""
    rng = np.random.default_rng(0)
    confidence, correct = rng.uniform(0.3, 1.0, size=300), rng.integers(2, size=300)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=15, strategy="quantile")
    found = adaptive_calibration_error(torch.from_numpy(confidence), torch.from_numpy(correct))
    assert float(found) == pytest.approx(np.abs(accuracy - mean).mean())


@pytest.mark.parametrize("size", [1, 7, 16, 100])
def test_bins_differ_by_one_prediction_at_most(size: int) -> None:
    rng = np.random.default_rng(size)
    confidence, correct = -np.sort(-rng.uniform(size=size)), rng.integers(2, size=size)
    bins = np.array([index * 15 // size for index in range(size)])
    sizes = np.bincount(bins, minlength=15)
    assert sizes.max() - sizes.min() <= 1
    gaps = [abs((correct - confidence)[bins == b].sum()) for b in range(15)]
    found = adaptive_calibration_error(torch.from_numpy(confidence), torch.from_numpy(correct))
    assert float(found) == pytest.approx(sum(gaps) / size)


def test_of_certain_predictions_it_is_their_error() -> None:
    assert float(adaptive_calibration_error(torch.ones(8), torch.tensor([1, 0, 1, 1, 1, 1, 1, 0]))) == 0.25
