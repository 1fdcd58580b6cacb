"""The network at the posterior mean as a program of `torch.export`, which runs without this package."""

from pathlib import Path

import torch
from lightning.pytorch import LightningModule
from torch import nn
from torch.export import Dim

from lightning_vi.errors import UserError
from lightning_vi.modules import BayesByBackprop, PointEstimate
from lightning_vi.whole_file import whole


def network(module: LightningModule) -> tuple[nn.Module, tuple[int, ...]]:
    """The single network that stands for a model: that of a point estimate, or at the posterior mean.

    Args:
        module: The model.

    Returns:
        The network, in evaluation mode, and the shape of one of its inputs.

    Raises:
        UserError: If the model is several networks, or generates data.
    """
    if isinstance(module, BayesByBackprop):
        return module.model.network_at_mean().eval(), module.input_shape
    if isinstance(module, PointEstimate):
        return module.model.eval(), module.input_shape
    raise UserError(
        f"{type(module).__name__} has no single network at a posterior mean; BayesByBackprop and PointEstimate have. "
        "Export its weights: --to FILE.safetensors."
    )


def write(module: LightningModule, path: Path) -> None:
    """Write the program of a model's network. Its outputs are the network's own: of a classifier logits.

    Args:
        module: The model, on the CPU.
        path: The file; `torch.export.load` reads it.

    Raises:
        UserError: If the model has no such network, or `torch.export` cannot follow it.
    """
    net, shape = network(module)
    inputs = torch.zeros(2, *shape)  # a batch of one would be taken for a constant
    try:
        program = torch.export.export(net, (inputs,), dynamic_shapes=({0: Dim("batch")},))
    except Exception as error:  # what torch.export raises of a network depends on how far it has come
        raise UserError(
            f"{type(net).__name__}: torch.export cannot follow this network for batches of any size: "
            f"{str(error).strip().splitlines()[0]}. Export its weights: --to FILE.safetensors."
        ) from error
    with whole(path) as part, part.open("wb") as file:
        torch.export.save(program, file)
