import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, root_mean_squared_error, zero_one_loss
from torch import Tensor
from torch.distributions import Distribution, Poisson

from lightning_vi.errors import UserError
from lightning_vi.functional.calibration import adaptive_calibration_error
from lightning_vi.functional.selective import area_under_risk_coverage
from lightning_vi.likelihoods import Categorical, Gaussian, HeteroscedasticGaussian, Likelihood
from lightning_vi.metrics import ClassificationScores, RegressionScores, scores_for
from lightning_vi.predictive import Predictive


def independent_ece(probabilities: np.ndarray, targets: np.ndarray) -> float:
    confidence, hit = probabilities.max(1), probabilities.argmax(1) == targets
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = [abs(confidence[bins == b].mean() - hit[bins == b].mean()) * (bins == b).mean() for b in set(bins)]
    return float(sum(gaps))


def test_classification_scores_against_other_libraries() -> None:
    torch.manual_seed(0)
    outputs, targets = 2 * torch.randn(5, 103, 4), torch.randint(4, (103,))
    scores = scores_for(Categorical(), 4)
    for part in torch.arange(103).split(20):  # a ragged last batch must not weigh more
        scores.update(Predictive(Categorical(), outputs[:, part]), targets[part])
    result = {name: float(value) for name, value in scores.compute().items()}

    p, y = outputs.double().softmax(-1).mean(0).numpy(), targets.numpy()
    assert result["error"] == pytest.approx(100 * zero_one_loss(y, p.argmax(1)), rel=1e-5)
    assert result["nll"] == pytest.approx(log_loss(y, p, labels=range(4)), rel=1e-5)
    assert result["brier"] == pytest.approx(((p - np.eye(4)[y]) ** 2).sum(1).mean(), rel=1e-5)
    assert result["ece"] == pytest.approx(independent_ece(p, y), rel=1e-4)
    confidence, hit = torch.from_numpy(p.max(1)), torch.from_numpy(p.argmax(1) == y)
    assert result["ece_adaptive"] == pytest.approx(float(adaptive_calibration_error(confidence, hit)), rel=1e-4)
    assert result["aurc"] == pytest.approx(float(area_under_risk_coverage(confidence, hit)), rel=1e-4)

    scores.reset()
    scores.update(Predictive(Categorical(), outputs[:, :1]), outputs[:, :1].softmax(-1).mean(0).argmax(1))
    assert scores.compute()["error"] == 0


@pytest.mark.parametrize("likelihood", [Gaussian(0.7), HeteroscedasticGaussian()])
def test_regression_scores(likelihood: Likelihood) -> None:
    torch.manual_seed(0)
    outputs, targets = torch.randn(3, 31, likelihood.output_size(2)), torch.randn(31, 2)
    scores = scores_for(likelihood, 2)
    for part in torch.arange(31).split(10):
        scores.update(Predictive(likelihood, outputs[:, part]), targets[part])
    predictive = Predictive(likelihood, outputs)
    result = scores.compute()
    assert float(result["rmse"]) == pytest.approx(
        root_mean_squared_error(targets.flatten().numpy(), predictive.mean.flatten().numpy()), rel=1e-5
    )
    torch.testing.assert_close(result["nll"], predictive.nll(targets).mean())
    torch.testing.assert_close(result["crps"], predictive.crps(targets).mean())
    for percent in (50, 90, 95):
        low, high = predictive.quantiles([0.5 - percent / 200, 0.5 + percent / 200])
        inside = ((low <= targets) & (targets <= high)).float().mean()
        assert float(result[f"coverage_{percent}"]) == pytest.approx(100 * float(inside))


def test_the_likelihood_decides() -> None:
    assert isinstance(scores_for(Categorical(), 3), ClassificationScores)
    assert isinstance(scores_for(Gaussian(), 1), RegressionScores)


class Counts(Likelihood):
    def output_size(self, target_size: int) -> int:
        return target_size

    def forward(self, outputs: Tensor) -> Distribution:
        return Poisson(outputs.exp())


def test_a_likelihood_of_ones_own_can_register_scores() -> None:
    with pytest.raises(UserError, match="Counts has no scores: register some"):
        scores_for(Counts(), 1)
