"""The package's own training of the same problem: Bayes by Backprop, and ensembles."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.optim import Adam
from torch.utils.data import TensorDataset

from benchmarks.hmc.problems import Problem
from lightning_vi.datamodules.base import InMemoryDataModule, Splits
from lightning_vi.modules import BayesByBackprop, DeepEnsemble, MeanField
from lightning_vi.modules.supervised import SupervisedModule
from lightning_vi.predictive import Predictive
from lightning_vi.quiet import quiet
from lightning_vi.schedules import CosineLR

_BATCHES = 4  # of an epoch
_RATE = 1e-2  # of configs/bbb_regression.yaml, and its optimizer and schedule


class _Data(InMemoryDataModule):
    """A problem's data, with nothing to validate on, since nothing is chosen."""

    def __init__(self, problem: Problem, seed: int) -> None:
        super().__init__(len(problem.training) // _BATCHES, eval_batch_size=2000, seed=seed)
        self.problem = problem

    def splits(self) -> Splits:
        """See `InMemoryDataModule.splits`."""
        nothing = TensorDataset(*(tensor[:0] for tensor in self.problem.training.tensors))
        return Splits(self.problem.training, nothing, self.problem.test)


class Fit(NamedTuple):
    """A method that has seen the data.

    Attributes:
        method: Its name.
        seed: Of its initial weights and noise.
        predictive: p(y | x, D) of inputs (B, D).
        seconds: Wall time.
    """

    method: str
    seed: int
    predictive: Callable[[Tensor], Predictive]
    seconds: float


def bayes_by_backprop(problem: Problem, method: str, seed: int, epochs: int, draws: int) -> Fit:
    """A factorised Gaussian posterior, with one draw of the weights per step."""
    torch.manual_seed(seed)
    module = BayesByBackprop(
        problem.network,
        problem.input_shape,
        problem.target_size,
        likelihood=problem.likelihood,
        prior=problem.prior,
        draws=draws,
        optimizer=partial(Adam, lr=_RATE),
        lr_scheduler=CosineLR,
    )
    return _fit(method, seed, module, problem, epochs)


def ensemble(
    problem: Problem, method: str, seed: int, epochs: int, members: int, mean_field: MeanField | None = None
) -> Fit:
    """Networks from different initial weights, each at a maximum of the joint density, or each with a posterior."""
    torch.manual_seed(seed)
    # The loss is in nats per example, and so is the prior: w^2 / (2 sigma^2 N) has the gradient w / (sigma^2 N).
    decay = 0.0 if mean_field is not None else 1 / (problem.prior.sigma**2 * len(problem.training))
    module = DeepEnsemble(
        problem.network,
        problem.input_shape,
        problem.target_size,
        members=members,
        likelihood=problem.likelihood,
        mean_field=mean_field,
        optimizer=partial(Adam, lr=_RATE, weight_decay=decay),
        lr_scheduler=CosineLR,
    )
    return _fit(method, seed, module, problem, epochs)


def _fit(method: str, seed: int, module: SupervisedModule, problem: Problem, epochs: int) -> Fit:
    start = time.monotonic()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with quiet():
        trainer.fit(module, datamodule=_Data(problem, seed))
    return Fit(method, seed, module.predictive, time.monotonic() - start)
