"""PyTorch's global random state, which dropout masks are drawn from, as data for a checkpoint."""

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from lightning_vi.modules.ranks import of_all_ranks


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The states of the CPU's generator and of the device's own if it is a CUDA device; bytes, on the CPU."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def random_states(trainer: Trainer) -> list[dict[str, Tensor]]:
    """The :func:`random_state` of each process, by rank. Every process has to come here."""
    own = random_state(trainer.strategy.root_device)
    states = {name: of_all_ranks(trainer, each) for name, each in own.items()}
    return [{name: each[rank] for name, each in states.items()} for rank in range(trainer.world_size)]


def restore_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """Go on with the next number after :func:`random_state`; a state of another kind of device is left out."""
    torch.set_rng_state(state["cpu"].cpu().clone())  # PyTorch reads a part of another tensor from where that begins
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].cpu().clone(), device)


def fresh_random_state(rank: int, step: int) -> None:
    """Give a process a stream of its own, named by the seed, its rank and the step that it starts at."""
    stream = np.random.SeedSequence(torch.initial_seed(), spawn_key=(rank, step))
    torch.manual_seed(int(stream.generate_state(1, np.uint64)[0]))
