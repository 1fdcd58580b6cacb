import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from torch import Tensor

from lightning_vi.detection import Detection, detection_scores
from lightning_vi.likelihoods import Categorical
from lightning_vi.predictive import Predictive


def by_scikit_learn(uncertainty: Tensor, is_other: Tensor) -> dict[str, float]:
    false, true, _ = roc_curve(is_other, uncertainty, drop_intermediate=False)
    return {
        "auroc": roc_auc_score(is_other, uncertainty),
        "aupr": average_precision_score(is_other, uncertainty),
        "fpr95": false[np.argmax(true >= 0.95)],
    }


@pytest.mark.parametrize("rounded", [False, True], ids=["distinct", "equals"])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 50.0])
def test_scores_are_those_of_scikit_learn(scale: float, rounded: bool) -> None:
    """Entropies of a good classifier are tiny, and others are above 1: neither may be taken for a logit."""
    is_other = torch.randint(2, (300,))
    uncertainty = torch.rand(300) + 0.5 * is_other
    uncertainty = scale * (uncertainty.mul(8).round() if rounded else uncertainty)
    found = {name: float(value) for name, value in detection_scores(uncertainty, is_other).items()}
    assert found == pytest.approx(by_scikit_learn(uncertainty, is_other), rel=1e-5)


def test_the_three_uncertainties_of_a_predictive() -> None:
    own, other = torch.randn(4, 50, 3), 0.3 * torch.randn(4, 30, 3)
    detection = Detection()
    for outputs, shifted in ((own[:, :20], False), (own[:, 20:], False), (other, True), (other[:, :0], True)):
        detection.update(Predictive(Categorical(), outputs), shifted)
    scores = detection.compute()
    both, is_other = Predictive(Categorical(), torch.cat((own, other), dim=1)), torch.arange(80) >= 50
    for name, uncertainty in {
        "entropy": both.entropy,
        "mutual_information": both.mutual_information,
        "max_probability": 1 - both.probabilities.amax(-1),
    }.items():
        for score, expected in by_scikit_learn(uncertainty, is_other).items():
            assert float(scores.pop(f"{score}_{name}")) == pytest.approx(expected, rel=1e-5)
    assert not scores


def test_a_single_network_has_no_mutual_information() -> None:
    detection = Detection()
    for is_other in (False, True):
        detection.update(Predictive(Categorical(), torch.randn(1, 9, 3)), is_other)
    names = {f"{score}_{name}" for score in ("auroc", "aupr", "fpr95") for name in ("entropy", "max_probability")}
    assert set(detection.compute()) == names
