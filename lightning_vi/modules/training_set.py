"""What the trainer's training set tells: N and M, since the ELBO's scale is never a setting, and its targets."""

from collections.abc import Sized

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.errors import UserError
from lightning_vi.objectives import Epoch


def epoch_of(trainer: Trainer) -> Epoch:
    """How the trainer cuts its training set into steps.

    Works for PyTorch's ``DataLoader`` with whatever sampler Lightning put into it, and for any loader with
    ``dataset`` and ``batch_size``; ``limit_train_batches`` and ``drop_last`` are allowed for.

    Raises:
        UserError: If the training set has no length, since the ELBO needs its size.
    """
    loader = trainer.train_dataloader
    dataset, batch_size = getattr(loader, "dataset", None), getattr(loader, "batch_size", None)
    batches = trainer.num_training_batches
    if not isinstance(dataset, Sized) or batch_size is None or batches == float("inf"):
        raise UserError(
            f"The training loader ({type(loader).__name__}) must have a sized dataset and a batch_size: the ELBO "
            "weighs the KL term by the number of training examples."
        )
    examples, devices = len(dataset), trainer.world_size
    return Epoch(
        examples=examples,
        visited=min(examples, int(batches) * batch_size * devices),
        batches=int(batches),
        devices=devices,
        accumulated=trainer.accumulate_grad_batches,
    )


def training_targets(trainer: Trainer) -> Tensor:
    """All targets of the training set, shape (N, D), of a data set of (input, target) pairs."""
    assert trainer.train_dataloader is not None
    dataset = trainer.train_dataloader.dataset
    if isinstance(dataset, TensorDataset):
        return dataset.tensors[1]
    return torch.cat([targets for _, targets in DataLoader(dataset, batch_size=1000)])
