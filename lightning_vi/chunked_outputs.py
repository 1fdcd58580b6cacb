"""Outputs of many networks for any number of inputs: networks are the outer loop, chunks of inputs the inner one."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lightning_vi.predictive import Drawn


def chunked_outputs(
    networks: Iterable[Drawn], inputs: Tensor, memory: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Outputs of networks that are drawn one after another, on the CPU.

    Each network takes all chunks before the next one is drawn, so that weights are drawn once, whatever the budget.
    The chunks change nothing but rounding: products of other shapes may add in another order.

    Args:
        networks: M networks, some together.
        inputs: Shape (B, ...), on any device.
        memory: Bytes for a chunk and what is made of it; neither weights nor the result count.
        device: Where the networks are.
        dtype: What the networks compute in; inputs of another floating type are converted.

    Returns:
        Shape (M, B, output_size).
    """
    size, results = 0, []

    def placed(part: Tensor) -> Tensor:
        return part.to(device, dtype) if part.is_floating_point() else part.to(device)

    for network in networks:
        size = size or max(1, memory // _bytes_per_input(network, placed(inputs[:2])))
        results.append(torch.cat([network(placed(chunk)).cpu() for chunk in inputs.split(size)], dim=1))
    return torch.cat(results)


def _bytes_per_input(network: Drawn, two: Tensor) -> int:
    """Size of an input and of all tensors that a network makes for it, as if none of them made room for another.

    Args:
        network: The network.
        two: Two inputs, (2, ...): what they take more than one of them does not belong to weights.
    """
    sizes: list[int] = []
    for inputs in (two[:1], two):
        with _Made() as made, torch.no_grad():  # type: ignore[no-untyped-call]  # in torch
            network(inputs)
        sizes.append(inputs.nbytes + made.bytes)
    return max(1, sizes[1] - sizes[0])


class _Made(TorchDispatchMode):
    """Adds up the bytes of all tensors that operations return, inside `torch.func.vmap` too."""

    bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.bytes += sum(each.nbytes for each in tree_leaves(result) if isinstance(each, Tensor))
        return result
