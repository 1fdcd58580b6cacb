"""A check that the members of an ensemble are the runs of their seeds."""

from typing import final

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn, optim

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError
from lightning_vi.modules import DeepEnsemble
from lightning_vi.modules.finite_steps import FiniteSteps
from lightning_vi.networks import StackedNetworks

# They treat every weight by itself, so that it does not matter to them which others there are.
_ELEMENTWISE = (
    *(optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad, optim.Adadelta),
    *(optim.Adamax, optim.NAdam, optim.RAdam, optim.ASGD, optim.Rprop),
)


@final
class Comparable(Callback):
    """Refuses an ensemble whose members would train otherwise than each alone."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look for what members share.

        Raises:
            UserError: if there is such a thing.
        """
        assert isinstance(pl_module, DeepEnsemble)
        (optimizer,) = trainer.optimizers
        if type(optimizer) not in _ELEMENTWISE:
            raise UserError(f"model.optimizer (={type(optimizer).__name__}) may mix the weights of several seeds.")
        if trainer.gradient_clip_val and trainer.gradient_clip_algorithm != "value":
            raise UserError("trainer.gradient_clip_val clips by the norm of all seeds' gradients together.")
        if trainer.precision == "16-mixed":
            raise UserError("trainer.precision (=16-mixed) scales the loss of all seeds together; bf16-mixed does not.")
        if any(each.reduce_on_plateau for each in trainer.lr_scheduler_configs):
            raise UserError("model.lr_scheduler (=ReduceLROnPlateau) looks at the score of all seeds together.")
        if any(isinstance(each, EarlyStopping) for each in trainer.callbacks):  # type: ignore[attr-defined]  # set at run time
            raise UserError("EarlyStopping looks at the score of all seeds together.")
        if any(isinstance(each, FiniteSteps) and each.skip for each in trainer.callbacks):  # type: ignore[attr-defined]
            raise UserError("FiniteSteps would skip the steps of all seeds together.")
        if any(True for _ in pl_module.likelihood.parameters()):
            name = type(pl_module.likelihood).__name__
            raise UserError(f"model.likelihood (={name}) has parameters that all seeds would share.")
        networks = pl_module.networks.net if isinstance(pl_module.networks, BayesianModule) else pl_module.networks
        assert isinstance(networks, StackedNetworks)
        if draws_numbers(networks.blank(), pl_module.input_shape):
            raise UserError("model.net draws random numbers in training, as dropout does, in another order than alone.")


def draws_numbers(network: nn.Module, input_shape: tuple[int, ...]) -> bool:
    """Whether a network on the CPU takes numbers from PyTorch's global generator in training."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        before = torch.get_rng_state()
        network.train()(torch.zeros(2, *input_shape))
        return not torch.equal(before, torch.get_rng_state())
