"""When the loops over weights are compiled."""

import time

from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_info

from lightning_vi.bayesian import BayesianModule

# Compiling pays where the eager loops would lose more time than the half minute that it may take: they cost about
# 30 ns more for each weight and step.
_COMPILE_FROM_WEIGHT_STEPS = 1e9


def compile_where_it_pays(
    model: BayesianModule, trainer: Trainer, samples: int = 1, always: bool = False, hint: str = ""
) -> None:
    """Compile the loops of a model if a trainer's run is long enough, and say what it took.

    Args:
        model: The model.
        trainer: Its trainer, which is about to train it.
        samples: Draws of a minibatch.
        always: Compile for a short run too.
        hint: How to turn it off.
    """
    draws = trainer.estimated_stepping_batches * trainer.accumulate_grad_batches * samples
    if always or model.mu.numel() * draws >= _COMPILE_FROM_WEIGHT_STEPS:
        rank_zero_info(f"Compiling the loops over the weights, once{hint} ...")
        start = time.monotonic()
        with trainer.precision_plugin.forward_context():  # compiled code is for one state of autocast
            model.compile_draws()
        rank_zero_info(f"... done in {time.monotonic() - start:.0f} s.")
