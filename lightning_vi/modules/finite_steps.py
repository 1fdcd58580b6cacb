"""Stops a training before a step whose loss or gradient is not finite, or skips such steps."""

import math
from collections import Counter
from typing import Any, Protocol, runtime_checkable

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from lightning_vi.errors import UserError, require_at_least
from lightning_vi.modules.epoch_record import EpochRecord
from lightning_vi.modules.numerical_fault import Step, all_finite, last_good, tell


@runtime_checkable
class HasTerms(Protocol):
    """A module that tells what its loss is made of.

    Attributes:
        terms: Name to value, shape () and without a gradient, of the loss that goes backward next.
    """

    terms: dict[str, Tensor]


class FiniteSteps(Callback):
    """Stops a training before a step whose loss or gradient is not finite, or skips such steps and counts them.

    A module brings one along where the trainer has none, so it needs to be listed for `skip` alone.

    A step is judged when its gradient is there, of all accumulated minibatches and all devices, before it is clipped.
    No checkpoint is saved of weights that are not finite. A GPU is not waited for: there the judgement of a step is
    read at the next one, before it changes the weights once more, or before a checkpoint is saved. A loss scale
    (16-mixed) overflows now and then by design, and skips such steps itself; the gradient is at fault there only when
    the scale has fallen below 1.

    A skipped step leaves weights, the optimizer's state, moving averages and the epoch's logged means as they are, and
    statistics of normalisation that it has spoilt as they were before. It counts as a step for schedules and limits.

    Args:
        skip: Steps in a row that may be skipped, of each optimizer; one more stops the training. Their number since the
            start of the training is logged as ``train/skipped_steps``, and stands in the run's results. A GPU is
            waited for at each step then.

    Raises:
        UserError: If it is negative.

    Attributes:
        skipped: Number of steps skipped so far, over resumptions.
    """

    def __init__(self, skip: int = 0) -> None:
        require_at_least("FiniteSteps", 0, skip=skip)
        self.skip = skip
        self.skipped = 0
        self._in_a_row: Counter[int] = Counter()
        self._module: HasTerms | None = None
        self._terms: dict[str, Tensor] = {}  # of the step's minibatches so far
        self._batch: Any = None
        self._unread: tuple[Step, Tensor, torch.cuda.Event] | None = None
        self._is_inside_step = False
        self._has_skipped = False
        self._buffers: dict[str, Tensor] = {}  # as they were before the step

    @classmethod
    def unless_there(cls, trainer: Trainer) -> list[Callback]:
        """One to bring along, where the trainer has none."""
        there = any(isinstance(each, cls) for each in trainer.callbacks)  # type: ignore[attr-defined]  # set at run time
        return [] if there else [cls()]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the steps of an earlier run.

        Raises:
            UserError: If steps are to be skipped that optimizers themselves free of a loss scale.
        """
        fused = any(group.get("fused") for each in trainer.optimizers for group in each.param_groups)
        if self.skip and fused and _scaler(trainer) is not None:
            raise UserError(
                f"FiniteSteps: skip (={self.skip}) needs optimizers that leave the loss scale of 16-mixed to Lightning."
                " Set fused: false, or --trainer.precision bf16-mixed."
            )
        self._module = pl_module if isinstance(pl_module, HasTerms) else None
        self._terms, self._unread, self._is_inside_step, self._has_skipped = {}, None, False, False
        self._in_a_row.clear()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Remember what a skipped step would have to leave as it is."""
        self._batch = batch
        if self.skip and not self._is_inside_step:
            self._buffers = {name: each.clone() for name, each in pl_module.named_buffers() if each.is_floating_point()}
            for record in _records(trainer):
                record.mark()
        self._is_inside_step = True

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Note the terms of a loss."""
        terms = {"loss": loss.detach()} if self._module is None else self._module.terms
        for name, value in terms.items():
            self._terms[name] = self._terms[name] + value if name in self._terms else value

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Judge a step.

        Raises:
            UserError: If it, or on a GPU the one before, is not finite and not to be skipped.
        """
        self._read(trainer, pl_module)
        step = Step(trainer.global_step + 1, trainer.current_epoch + 1, optimizer, self._terms, self._batch)
        self._terms, self._is_inside_step = {}, False
        measure = _measure(step, pl_module.device)
        if trainer.world_size > 1:
            measure = trainer.strategy.reduce(measure, reduce_op="sum")
        if measure.is_cuda and not self.skip:
            copied = torch.cuda.Event()
            self._unread = step, measure.to("cpu", non_blocking=True), copied
            copied.record()
        elif _is_fault(trainer, measure):
            self._refuse(trainer, pl_module, step)
        else:
            self._in_a_row[id(optimizer)] = 0

    def _read(self, trainer: Trainer, module: LightningModule) -> None:
        """Read the judgement of the step before, if it is still to be read."""
        if self._unread is None:
            return
        step, measure, copied = self._unread
        self._unread = None
        copied.synchronize()
        if _is_fault(trainer, measure):
            raise UserError(tell(trainer, module, step))

    def _refuse(self, trainer: Trainer, module: LightningModule, step: Step) -> None:
        text, in_a_row = tell(trainer, module, step), self._in_a_row[id(step.optimizer)]
        if in_a_row == self.skip:
            raise UserError(text if self.skip == 0 else f"After {in_a_row} skipped steps in a row: {text}")
        if self.skipped == 0:
            rank_zero_info(f"Skipped: {text.splitlines()[0]} Further ones are only counted.")
        # Optimizers leave parameters without a gradient alone, their weight decay and state included.
        step.optimizer.zero_grad(set_to_none=True)
        self.skipped += 1
        self._in_a_row[id(step.optimizer)] += 1
        self._has_skipped = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Undo what a skipped step has left behind."""
        self._batch = None
        if self._has_skipped:
            for record in _records(trainer):
                record.leave_out()
            for name, each in pl_module.named_buffers():
                if name in self._buffers and not all_finite([each]):
                    each.copy_(self._buffers[name])
        self._has_skipped = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the number of skipped steps, where steps may be skipped."""
        if self.skip:
            pl_module.log("train/skipped_steps", float(self.skipped), sync_dist=True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the judgement of the last step."""
        self._read(trainer, pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Refuse to save what is not finite.

        Raises:
            UserError: If weights are not finite.
        """
        self._read(trainer, pl_module)
        bad = [name for name, each in pl_module.named_parameters() if not all_finite([each])]
        if bad:
            raise UserError(
                f"{type(pl_module).__name__}: {bad[0]} must be finite, but is not after step {trainer.global_step}; no "
                f"checkpoint is saved of it. Lower the learning rate.\n{last_good(trainer)}"
            )

    def state_dict(self) -> dict[str, Any]:
        """The number of skipped steps, once there are any."""
        return {"skipped": self.skipped} if self.skipped else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.skipped = state_dict["skipped"]


def was_skipped(optimizer: Optimizer) -> bool:
    """Whether the step that an optimizer has just made was skipped: it has no gradient then."""
    return all(each.grad is None for group in optimizer.param_groups for each in group["params"])


def _measure(step: Step, device: torch.device) -> Tensor:
    """A number that is finite if the terms are, and one that is if the gradients are; shape (2,)."""
    terms = list(step.terms.values())
    gradients = [each.grad for group in step.optimizer.param_groups for each in group["params"]]
    there = [each.detach() for each in gradients if each is not None]
    nothing = torch.zeros((), device=device)
    if device.type == "cuda":
        return torch.stack([sum(terms, nothing), get_total_norm(there, math.inf) if there else nothing])
    # On a processor the largest absolute value takes seventy times as long as a sum. One that has overflowed is no
    # fault yet.
    total = sum((each.sum() for each in there), nothing)
    return torch.stack([sum(terms, nothing), total if math.isfinite(total) or not all_finite(there) else nothing])


def _is_fault(trainer: Trainer, measure: Tensor) -> bool:
    terms, gradients = measure.tolist()
    if not math.isfinite(terms):
        return True
    scaler = _scaler(trainer)
    return not math.isfinite(gradients) and (scaler is None or scaler.get_scale() < 1.0)


def _scaler(trainer: Trainer) -> torch.amp.GradScaler | None:
    precision = trainer.precision_plugin
    return precision.scaler if isinstance(precision, MixedPrecision) else None


def _records(trainer: Trainer) -> list[EpochRecord]:
    return [each for each in trainer.callbacks if isinstance(each, EpochRecord)]  # type: ignore[attr-defined]  # set at run time
