"""Step sizes that are square summable but not summable: stochastic gradients converge almost surely.

    sum_t gamma_t = infinity,    sum_t gamma_t^2 < infinity.

Both schedules fall like 1/t. `t` counts the calls of `step`, one per epoch or one per update as the
training loop is configured; gamma_0 is each parameter group's own initial learning rate.

References:
    Robbins, Monro 1951, A Stochastic Approximation Method, Ann. Math. Statist. 22(3) (the two conditions).
    Bottou 2012, Stochastic Gradient Descent Tricks (the first schedule with lambda = 1 / c).
"""

import math

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_vi.errors import UserError


class InverseTimeLR(LRScheduler):
    """gamma_t = gamma_0 / (1 + gamma_0 t / c): flat until t is about c / gamma_0, then c / t."""

    def __init__(self, optimizer: Optimizer, c: float, last_epoch: int = -1) -> None:
        """A schedule of the optimizer's learning rates.

        Args:
            optimizer: the optimizer whose learning rates are scheduled.
            c: the rate tends to c / t whatever gamma_0 is. Halved at t = c / gamma_0.
            last_epoch: the last t, see `torch.optim.lr_scheduler.LRScheduler`.

        Raises:
            UserError: unless c is positive and finite.
        """
        if not 0.0 < c < math.inf:
            raise UserError(f"InverseTimeLR: c (={c}) must be positive and finite.")
        self.c = c
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float | Tensor]:
        """The learning rate of each parameter group at the current t."""
        return [gamma / (1.0 + gamma * self.last_epoch / self.c) for gamma in self.base_lrs]


class HarmonicLR(LRScheduler):
    """gamma_t = gamma_0 / (1 + t), the harmonic series: already halved at t = 1."""

    def get_lr(self) -> list[float | Tensor]:
        """The learning rate of each parameter group at the current t."""
        return [gamma / (1.0 + self.last_epoch) for gamma in self.base_lrs]
