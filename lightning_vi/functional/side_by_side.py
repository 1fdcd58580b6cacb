"""Running a function on several sets of weights at once, where it allows that."""

import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.func import vmap


class SideBySide:
    """`torch.func.vmap` of a network, or one run after another for networks that vmap cannot run.

    Those are networks whose Python code depends on values, or writes into tensors of its own, and some layers, such as
    recurrent ones. They are found out at the first run, which a warning tells.
    """

    def __init__(self, allowed: bool = True) -> None:
        self.allowed = allowed

    def __call__(
        self, run: Callable[..., Tensor], weights: Mapping[str, Tensor], inputs: Tensor | None = None
    ) -> Tensor:
        """Outputs (S, ...) of `run(weights)`, or of `run(weights, inputs)` if each set has inputs of its own.

        Args:
            run: Takes a set of weights, and inputs if there are any. Random masks in it differ between sets.
            weights: Name to tensor of shape (S, ...).
            inputs: Shape (S, ...), or None.
        """
        arguments = (weights,) if inputs is None else (weights, inputs)
        if self.allowed:
            try:
                outputs: Tensor = vmap(run, randomness="different")(*arguments)
            except Exception as error:  # what vmap cannot do raises many types
                self.allowed = False
                reason = str(error).strip().splitlines()[0]
                warnings.warn(
                    f"The network does not run side by side, but one draw or member after another: {reason}",
                    stacklevel=2,
                )
            else:
                return outputs
        parts = {name: value.unbind() for name, value in weights.items()}
        sets = ({name: part[i] for name, part in parts.items()} for i in range(len(next(iter(parts.values())))))
        if inputs is None:
            return torch.stack([run(each) for each in sets])
        return torch.stack([run(each, own) for each, own in zip(sets, inputs, strict=True)])


ONE_BY_ONE = SideBySide(allowed=False)
