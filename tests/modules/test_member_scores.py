import pytest
import torch

from lightning_vi.likelihoods import Categorical, Gaussian
from lightning_vi.modules.member_scores import MemberScores
from lightning_vi.predictive import Predictive


def predictives(members: int, seed: int) -> list[Predictive]:
    outputs = torch.randn(members, 6, 3, generator=torch.Generator().manual_seed(seed))
    return [Predictive(Categorical(), each.unsqueeze(0)) for each in outputs]


def test_each_members_scores_are_its_own() -> None:
    scores = MemberScores(Categorical(), 3, 2, at_mean=True)
    own, at_mean, targets = predictives(2, 0), predictives(2, 1), torch.arange(6) % 3
    for batch in (slice(4), slice(4, 6)):
        parts = [[Predictive(p.likelihood, p.outputs[:, batch]) for p in each] for each in (own, at_mean)]
        scores.update(parts[0], parts[1], targets[batch])
    values = scores.compute()
    names = ("error", "nll", "ece", "ece_adaptive", "brier", "aurc", "error_mean")
    assert set(values) == {f"{name}/{k}" for name in names for k in (0, 1)}
    for number, (predictive, mean) in enumerate(zip(own, at_mean, strict=True)):
        for name, each in (("error", predictive), ("error_mean", mean)):
            wrong = (each.outputs[0].argmax(-1) != targets).float().mean()
            assert values[f"{name}/{number}"] == pytest.approx(100 * float(wrong))
        nll = torch.nn.functional.cross_entropy(predictive.outputs[0], targets)
        assert values[f"nll/{number}"] == pytest.approx(float(nll))
    scores.update(own, at_mean, targets)  # what was there is forgotten
    torch.testing.assert_close(scores.compute(), values)


def test_point_estimates_have_no_posterior_mean() -> None:
    scores = MemberScores(Gaussian(0.1), 1, 2, at_mean=False)
    x = torch.zeros(4, 1)
    scores.update([Predictive(Gaussian(0.1), x.unsqueeze(0) + k) for k in (1, 2)], (), x)
    values = scores.compute()
    names = ("rmse", "nll", "crps", "coverage_50", "coverage_90", "coverage_95")
    assert set(values) == {f"{name}/{k}" for name in names for k in (0, 1)}
    assert (float(values["rmse/0"]), float(values["rmse/1"])) == (1.0, 2.0)
