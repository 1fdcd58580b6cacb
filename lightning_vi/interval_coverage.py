"""How often targets lie in central intervals of their predictive distribution."""

import torch
from torch import Tensor
from torchmetrics import Metric

PERCENT = (50, 90, 95)


class IntervalCoverage(Metric):
    """``coverage_50``, ``coverage_90`` and ``coverage_95``: targets within the central interval of that probability.

    In percent, over all dimensions of all targets. The number in the name is what a calibrated model has.
    """

    full_state_update = False
    inside: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("inside", default=torch.zeros(len(PERCENT)), dist_reduce_fx="sum")
        self.add_state("total", default=torch.zeros(()), dist_reduce_fx="sum")

    def update(self, levels: Tensor) -> None:
        """Add the levels F(y) in [0, 1] of targets under their predictive distributions; any shape."""
        # y lies between the quantiles at (1 - c)/2 and (1 + c)/2 where |2 F(y) - 1| is at most c.
        reach = (2 * levels - 1).abs().flatten()
        bounds = torch.tensor(PERCENT, device=reach.device, dtype=reach.dtype) / 100
        self.inside += (reach.unsqueeze(-1) <= bounds).sum(dim=0)
        self.total += len(reach)

    def compute(self) -> dict[str, Tensor]:
        """Name to coverage in percent, shape ()."""
        shares = 100 * self.inside / self.total
        return {f"coverage_{percent}": share for percent, share in zip(PERCENT, shares, strict=True)}
