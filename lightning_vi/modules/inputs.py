"""Batches of inputs: what is in them, what is drawn for them, and what an empty one costs."""

from lightning.pytorch import LightningModule
from torch import Generator, Tensor, nn, stack

# Evaluation draws the same noise in every epoch and leaves the training's stream alone.
_EVALUATION_SEED = 0x5EED


def inputs_of(batch: Tensor | tuple[Tensor, ...] | list[Tensor]) -> Tensor:
    """Inputs (B, ...) of a batch with or without targets."""
    return batch if isinstance(batch, Tensor) else batch[0]


def evaluation_noise(module: LightningModule, batch_idx: int) -> Generator:
    """Of an evaluation batch: it depends on the batch's number and the rank alone."""
    return Generator(module.device).manual_seed(_EVALUATION_SEED + (batch_idx << 16) + module.global_rank)


def loss_of_none(module: nn.Module) -> Tensor:
    """0, shape (), of a last block with fewer examples than devices: for DDP every parameter has its gradient."""
    return 0.0 * stack([each.sum() for each in module.parameters()]).sum()
