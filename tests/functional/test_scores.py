import pytest
import sklearn.metrics
import torch

from lightning_vi.errors import UserError
from lightning_vi.functional.scores import brier_score


def test_brier_score_of_two_classes_is_twice_the_binary_one_of_scikit_learn() -> None:
    torch.manual_seed(0)
    probabilities = torch.rand(50, 1, dtype=torch.float64)
    probabilities = torch.cat([1 - probabilities, probabilities], dim=-1)
    targets = torch.randint(2, (50,))
    binary = sklearn.metrics.brier_score_loss(targets.numpy(), probabilities[:, 1].numpy())
    assert brier_score(probabilities, targets).mean().item() == pytest.approx(2 * binary)


def test_brier_score_by_hand() -> None:
    probabilities = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])
    score = brier_score(probabilities, torch.tensor([0, 1, 0, 2]))
    torch.testing.assert_close(score, torch.tensor([0.0, 2.0, 0.375, 0.875]))


def test_brier_score_is_proper() -> None:
    truth = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    forecasts = torch.distributions.Dirichlet(truth.new_ones(3)).sample((100,))
    targets = torch.arange(3)
    expected = torch.stack([(truth * brier_score(p.expand(3, 3), targets)).sum() for p in (truth, *forecasts)])
    assert expected.argmin() == 0


@pytest.mark.parametrize("targets", [torch.zeros(4, 1, dtype=torch.long), torch.zeros(1, dtype=torch.long)])
def test_targets_that_would_broadcast_are_refused(targets: torch.Tensor) -> None:
    with pytest.raises(UserError, match="brier_score: targets of shape"):
        brier_score(torch.full((4, 2), 0.5), targets)
