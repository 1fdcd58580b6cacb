"""The package's own training of the same problem: posteriors by Bayes by Backprop, and point estimates."""

from functools import partial

import torch
from lightning.pytorch import Trainer
from torch.optim import Adam
from torch.utils.data import TensorDataset

from benchmarks.hmc.problems import Problem
from lightning_vi.datamodules.base import InMemoryDataModule, Splits
from lightning_vi.modules import DeepEnsemble, MeanField
from lightning_vi.quiet import quiet
from lightning_vi.schedules import CosineLR

_BATCHES = 4  # of an epoch
_RATE = 2e-2


class _Data(InMemoryDataModule):
    """A problem's data, with nothing to validate on, since nothing is chosen."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(len(problem.training) // _BATCHES, eval_batch_size=2000, seed=0)
        self.problem = problem

    def splits(self) -> Splits:
        """See `InMemoryDataModule.splits`."""
        nothing = TensorDataset(*(tensor[:0] for tensor in self.problem.training.tensors))
        return Splits(self.problem.training, nothing, self.problem.test)


def mean_fields(problem: Problem, epochs: int, members: int, draws: int) -> DeepEnsemble:
    """Bayes by Backprop from several seeds, side by side, with one draw of the weights per step.

    Each member has its own noise and its own minibatches: it is the `BayesByBackprop` of its seed.
    """
    mean_field = MeanField(problem.prior, draws=draws)
    return _fit(problem, epochs, members, mean_field, decay=0.0)


def point_estimates(problem: Problem, epochs: int, members: int) -> DeepEnsemble:
    """Maxima of the joint density of weights and targets, one for each seed."""
    # The loss is in nats per example, and so is the prior: w^2 / (2 sigma^2 N) has the gradient w / (sigma^2 N).
    return _fit(problem, epochs, members, None, decay=1 / (problem.prior.sigma**2 * len(problem.training)))


def _fit(problem: Problem, epochs: int, members: int, mean_field: MeanField | None, decay: float) -> DeepEnsemble:
    torch.manual_seed(0)
    module = DeepEnsemble(
        problem.network,
        problem.input_shape,
        problem.target_size,
        members=members,
        likelihood=problem.likelihood,
        mean_field=mean_field,
        own_orders=True,
        optimizer=partial(Adam, lr=_RATE, weight_decay=decay),
        lr_scheduler=CosineLR,
    )
    with quiet():
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, datamodule=_Data(problem))
    return module
