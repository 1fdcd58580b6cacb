import pytest
import torch

from lightning_vi.confidences import Confidences
from lightning_vi.functional.calibration import adaptive_calibration_error
from lightning_vi.functional.selective import area_under_risk_coverage


def test_scores_are_those_of_all_examples_whatever_the_batches() -> None:
    probabilities, targets = torch.randn(103, 4).mul(3).softmax(-1), torch.randint(4, (103,))
    confidence, predicted = probabilities.max(dim=-1)
    for size in (1, 20, 103):
        metric = Confidences()
        for part in torch.arange(103).split(size):
            metric.update(probabilities[part], targets[part])
        metric.update(probabilities[:0], targets[:0])  # as of a device that a last block has left nothing
        scores = metric.compute()
        assert scores["ece_adaptive"] == adaptive_calibration_error(confidence, predicted == targets)
        assert scores["aurc"] == area_under_risk_coverage(confidence, predicted == targets)


def test_a_checkpoint_has_none_of_it() -> None:
    metric = Confidences()
    metric.update(torch.eye(2), torch.tensor([0, 0]))
    assert metric.state_dict() == {}
    assert float(metric.compute()["aurc"]) == pytest.approx(0.5)
    metric.reset()
    metric.update(torch.eye(2), torch.tensor([0, 1]))
    assert float(metric.compute()["aurc"]) == 0
