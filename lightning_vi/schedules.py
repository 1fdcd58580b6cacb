"""Step sizes gamma_t from each parameter group's own initial learning rate gamma_0.

`t` counts the calls of `step`, one per epoch or one per update as the training loop is configured.

Two schedules fall like 1/t. They are square summable but not summable, so that stochastic gradients converge almost
surely, however long the run:

    sum_t gamma_t = infinity,    sum_t gamma_t^2 < infinity.

The cosine is for a run whose length is known, and ends at 0. The steps of `BurdaLR` are those of one paper, and so
is the momentum of `MomentumRampLR`.

References:
    Robbins, Monro 1951, A Stochastic Approximation Method, Ann. Math. Statist. 22(3) (the two conditions).
    Bottou 2012, Stochastic Gradient Descent Tricks (the first schedule with lambda = 1 / c).
    Goodfellow et al. 2014, Generative Adversarial Nets, published code (`MomentumRampLR`).
    Burda, Grosse, Salakhutdinov 2016, Importance Weighted Autoencoders, section 5 (`BurdaLR`).
    Loshchilov, Hutter 2017, SGDR: Stochastic Gradient Descent with Warm Restarts, equation 5 (the cosine).
"""

import math
from bisect import bisect_right
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_vi.errors import UserError, require_at_least


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


class BurdaLR(LRScheduler):
    """gamma_t = gamma_0 10^(-i/7) for 3^i epochs, i = 0, ..., 7: 3280 epochs, the last 2187 of them at gamma_0 / 10.

    Stage i begins at t = 1 + 3 + ... + 3^(i-1) = (3^i - 1) / 2, so at 0, 1, 4, 13, 40, 121, 364 and 1093. A shorter run
    that ends where a stage begins has had all of the stages before; a longer one stays at gamma_0 / 10.
    """

    STARTS = tuple((3**i - 1) // 2 for i in range(8))

    def get_lr(self) -> list[float | Tensor]:
        """The learning rate of each parameter group at the current t."""
        stage = bisect_right(self.STARTS, self.last_epoch) - 1
        return [gamma * 10.0 ** (-stage / 7) for gamma in self.base_lrs]


class MomentumRampLR(LRScheduler):
    """gamma_t = gamma_0 decay^t, while SGD's momentum goes in a straight line from its own value to another one.

    Args:
        optimizer: Its parameter groups have a `momentum`.
        momentum: That of t = `ramp` and later.
        ramp: Number of steps that the momentum takes.
        decay: Factor of the rate at each step; by default that of Goodfellow's 500 updates of an epoch, 1.000004^-500.
        last_epoch: The last t, see `torch.optim.lr_scheduler.LRScheduler`.

    Raises:
        UserError: For an optimizer without momentum, or numbers out of their ranges.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        momentum: float = 0.7,
        ramp: int = 250,
        decay: float = 0.998002,
        last_epoch: int = -1,
    ) -> None:
        if not all("momentum" in group for group in optimizer.param_groups):
            raise UserError(f"MomentumRampLR: {type(optimizer).__name__} has no momentum. Take SGD.")
        if not 0.0 <= momentum < 1.0:
            raise UserError(f"MomentumRampLR: momentum (={momentum}) must lie in [0, 1).")
        if not 0.0 < decay <= 1.0:
            raise UserError(f"MomentumRampLR: decay (={decay}) must lie in (0, 1].")
        require_at_least("MomentumRampLR", 1, ramp=ramp)
        self.momentum, self.ramp, self.decay = momentum, ramp, decay
        self.first_momenta = [float(group["momentum"]) for group in optimizer.param_groups]
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float | Tensor]:
        """The learning rate of each parameter group at the current t."""
        return [gamma * self.decay**self.last_epoch for gamma in self.base_lrs]

    def step(self, epoch: int | None = None) -> None:
        """See `torch.optim.lr_scheduler.LRScheduler.step`; the momentum too."""
        super().step(epoch)
        share = min(self.last_epoch / self.ramp, 1.0)
        for group, first in zip(self.optimizer.param_groups, self.first_momenta, strict=True):
            group["momentum"] = first + share * (self.momentum - first)


class CosineLR(LRScheduler):
    """gamma_t = gamma_0 / 2 (1 + cos(pi t / T)): half a cosine over the whole run, and 0 from t = T on.

    `t` counts epochs, and T is the trainer's `max_epochs`, which the modules here fill in as `epochs`; set it yourself
    in a training loop of your own. T is no part of the state: a run that is resumed with more epochs goes on with the
    rate that the longer run has at its t, which lies above the one where the shorter run stopped.
    """

    _epochs: int | None = None

    @property
    def epochs(self) -> int | None:
        """T, None until it is set.

        Raises:
            UserError: if it is set to anything below 1.
        """
        return self._epochs

    @epochs.setter
    def epochs(self, epochs: int | None) -> None:
        if epochs is None or epochs < 1:
            raise UserError(
                f"CosineLR: epochs (={epochs}) must be at least 1. It is the trainer's max_epochs, which max_steps "
                "alone leaves open: give --trainer.max_epochs too."
            )
        self._epochs = epochs

    def get_lr(self) -> list[float | Tensor]:
        """The learning rate of each parameter group at the current t."""
        if self.last_epoch == 0:
            return list(self.base_lrs)  # T is not known yet where the schedule is made
        if self._epochs is None:
            raise UserError("CosineLR: epochs (=None) must be the length of the run. Set it before the first step.")
        # In closed form, so that a resumed run has the same rates to the bit.
        share = 0.5 * (1.0 + math.cos(math.pi * min(self.last_epoch / self._epochs, 1.0)))
        return [gamma * share for gamma in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """See `torch.optim.lr_scheduler.LRScheduler.state_dict`; without T."""
        return {name: value for name, value in super().state_dict().items() if name != "_epochs"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on at the saved t, with the rate that it has in this run."""
        super().load_state_dict(state_dict)
        if self._epochs is not None:
            self._update_lr(self.last_epoch)
