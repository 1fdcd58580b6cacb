"""Mean and variance of the training inputs, which a decoder or generator starts from."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lightning_vi.encoder_decoder import EncoderDecoder
from lightning_vi.errors import UserError
from lightning_vi.generator_model import GeneratorModel
from lightning_vi.modules.inputs import inputs_of


def start_at_training_moments(model: EncoderDecoder | GeneratorModel, trainer: Trainer) -> None:
    """Start a decoder or generator at the moments of the training data, unless it has been started before."""
    if not model.offset.any():
        assert trainer.train_dataloader is not None
        model.start_at(*(each.to(model.offset) for each in training_moments(trainer.train_dataloader.dataset)))


def training_moments(dataset: Dataset[Any]) -> tuple[Tensor, Tensor]:
    """Mean and variance of each input dimension, both (D,), of a data set of inputs, or of (input, ...) tuples.

    Raises:
        UserError: If it is empty.
    """
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for batch in DataLoader(dataset, batch_size=1000):
        rows = inputs_of(batch).flatten(start_dim=1).double()
        count += len(rows)
        total = total.to(rows) + rows.sum(dim=0)
        squares = squares.to(rows) + rows.square().sum(dim=0)
    if count == 0:
        raise UserError("The training set is empty.")
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp(min=0.0).float()
