"""What is told of a step whose loss or gradient is not finite: the term, the network, the step, and what to change."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from lightning_vi.modules.newest_checkpoint import newest_checkpoint


@dataclass(frozen=True)
class Step:
    """A step that an optimizer is about to make.

    Attributes:
        number: By the trainer's `global_step`, from 1.
        epoch: From 1.
        optimizer: Whose step it is.
        terms: Of its loss by name, shapes (), nats per training example, summed over accumulated minibatches.
        batch: Its last minibatch.
    """

    number: int
    epoch: int
    optimizer: Optimizer
    terms: Mapping[str, Tensor]
    batch: Any


def tell(trainer: Trainer, module: LightningModule, step: Step) -> str:
    """What is not finite in a step, and what the user can do about it; the same on all devices."""
    # Summed over devices, so that all of them name what one of them has met.
    values = {name: float(trainer.strategy.reduce(value, reduce_op="sum")) for name, value in step.terms.items()}
    bad = {name: value for name, value in values.items() if not math.isfinite(value)}
    if len(bad) > 1:
        bad.pop("loss", None)  # their sum
    network = network_of(module, step.optimizer)
    faults = [f"{name} (={value})" for name, value in bad.items()]
    faults += [f"the gradient of {network}"] if network else []
    faults = faults or ["the loss or its gradient"]  # of a GPU the gradients are those of the step after
    # Of all optimizers: what one network meets can be of another's making.
    groups = [group for each in trainer.optimizers for group in each.param_groups]
    rates = "/".join(dict.fromkeys(f"{float(group['lr']):g}" for group in groups))
    data_is_bad = torch.tensor(float(not all_finite(tensors_in(step.batch))), device=module.device)
    if float(trainer.strategy.reduce(data_is_bad, reduce_op="sum")):
        remedy = "The minibatch's own numbers are not finite: mend the data."
    else:
        remedy = _remedy(module, set(bad))
    where = f"at step {step.number} (epoch {step.epoch}, learning rate {rates})"
    verb = "is" if len(faults) == 1 else "are"
    return f"{type(module).__name__}: {' and '.join(faults)} {verb} not finite {where}.\n{remedy} {last_good(trainer)}"


def network_of(module: LightningModule, optimizer: Optimizer) -> str:
    """What the names of the parameters have in common whose gradients are not finite, e.g. `generator.network`.

    The networks one by one if it is nothing, and "" if all gradients are finite.
    """
    trained = {id(each) for group in optimizer.param_groups for each in group["params"]}
    names = [
        name.split(".")
        for name, each in module.named_parameters()
        if id(each) in trained and each.grad is not None and not all_finite([each.grad])
    ]
    common = []
    for parts in zip(*names, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return ".".join(common) or " and ".join(dict.fromkeys(parts[0] for parts in names))


def _remedy(module: LightningModule, bad: set[str]) -> str:
    if not all_finite(module.parameters()):
        return "The weights are not finite either: the step before was too long. Lower the learning rate."
    clip = "--trainer.gradient_clip_val" if module.automatic_optimization else "--model.gradient_clip_norm"
    if bad == {"kl"}:
        return "Lower the learning rate, or choose a wider prior or a larger initial sigma."
    return f"Lower the learning rate, clip the gradient ({clip} 1), or skip such steps (FiniteSteps, skip: 10)."


def last_good(trainer: Trainer) -> str:
    """A sentence that names the newest checkpoint of the run."""
    found = newest_checkpoint(trainer)
    return "No checkpoint has been saved before." if found is None else f"The last good checkpoint is {found}."


def tensors_in(batch: Any) -> list[Tensor]:
    """The tensors of a minibatch, which is one, or a sequence or mapping of such."""
    if isinstance(batch, Tensor):
        return [batch]
    if isinstance(batch, Mapping):
        return [found for each in batch.values() for found in tensors_in(each)]
    return [found for each in batch for found in tensors_in(each)] if isinstance(batch, list | tuple) else []


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no number is infinite or not a number."""
    # A sum takes a fiftieth of the time of isfinite() on a processor; it can overflow, so it acquits alone.
    return all(bool(torch.isfinite(each.sum())) or bool(torch.isfinite(each).all()) for each in map(_numbers, tensors))


def _numbers(tensor: Tensor) -> Tensor:
    return tensor.detach() if tensor.is_floating_point() else tensor.new_zeros(())
