"""When the loops over weights are compiled."""

import time

from lightning.pytorch.utilities import rank_zero_info

from lightning_vi.bayesian import BayesianModule

# Compiling pays where the eager loops would lose more time than the half minute that it may take: they cost about
# 30 ns more for each weight and step.
_COMPILE_FROM_WEIGHT_STEPS = 1e9


def compile_where_it_pays(model: BayesianModule, draws: float, always: bool = False) -> None:
    """Compile the loops of a model that will be drawn from so many times, and say what it took."""
    if always or model.mu.numel() * draws >= _COMPILE_FROM_WEIGHT_STEPS:
        rank_zero_info("Compiling the loops over the weights, once (compile: false turns it off) ...")
        start = time.monotonic()
        model.compile_draws()
        rank_zero_info(f"... done in {time.monotonic() - start:.0f} s.")
