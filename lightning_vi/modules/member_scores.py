"""Scores of the members of an ensemble, each by itself."""

from collections.abc import Iterable

from torch import Tensor, nn

from lightning_vi.likelihoods import Likelihood
from lightning_vi.metrics import Scores, scores_for
from lightning_vi.predictive import Predictive


class MemberScores(nn.Module):
    """What each of K members would log as a single model, by the same names with the member's number: ``error/0``.

    Args:
        likelihood: See `scores_for`.
        target_size: See `scores_for`.
        members: K.
        at_mean: Whether they have a posterior mean, whose headline score is ``error_mean/0``.
    """

    def __init__(self, likelihood: Likelihood, target_size: int, members: int, at_mean: bool) -> None:
        super().__init__()
        self.own = nn.ModuleList(scores_for(likelihood, target_size) for _ in range(members))
        self.at_mean = nn.ModuleList(scores_for(likelihood, target_size) for _ in range(members if at_mean else 0))

    def update(self, own: Iterable[Predictive], at_mean: Iterable[Predictive], targets: Tensor) -> None:
        """Add B examples.

        Args:
            own: p(y | x) of each member.
            at_mean: p(y | x) of the network at each member's posterior mean, if they have one.
            targets: Shape (B,) or (B, D).
        """
        for all_scores, predictives in ((self.own, own), (self.at_mean, at_mean)):
            for scores, predictive in zip(all_scores, predictives, strict=True):
                _scores(scores).update(predictive, targets)

    def compute(self) -> dict[str, Tensor]:
        """Name to score, shape (), over all examples of all devices, which are forgotten."""
        values: dict[str, Tensor] = {}
        for number, scores in enumerate(map(_scores, self.own)):
            values |= {f"{name}/{number}": value for name, value in scores.compute().items()}
            scores.reset()
        for number, scores in enumerate(map(_scores, self.at_mean)):
            values[f"{scores.headline}_mean/{number}"] = scores.compute()[scores.headline]
            scores.reset()
        return values


def _scores(module: nn.Module) -> Scores:
    assert isinstance(module, Scores)
    return module
