r"""Monte Carlo dropout: masks that go on being drawn at prediction, as draws of a network's weights.

.. math:: W_j = M \operatorname{diag}(z_j) / (1 - p), \qquad z_{ji} \sim \operatorname{Bernoulli}(1 - p),

for a layer with weights M whose inputs are dropped with probability p. A draw is one mask for each place where a
network drops something, and all inputs share it: f_W is a function of x then, as that of a Bayesian network is, and
does not depend on batches. (Masks drawn anew for each input give each single input the same predictive distribution.)

References:
    Gal and Ghahramani (2016), Dropout as a Bayesian Approximation. Kirsch, van Amersfoort and Gal (2019), BatchBALD
    (one mask for all inputs). Wan et al. (2013), DropConnect (masks of the weights).
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from lightning_vi.errors import UserError
from lightning_vi.networks import DropConnect

_CHANNELS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_UNITS = (nn.Dropout, *_CHANNELS)
_OTHERS = (nn.AlphaDropout, nn.FeatureAlphaDropout)  # do more than to multiply by a mask


def require_dropout(net: nn.Module) -> None:
    """Refuse a network that :class:`MaskedNetwork` cannot draw.

    Raises:
        UserError: If none of its layers drops anything, or if one does so in another way.
    """
    for layer in net.modules():
        if isinstance(layer, _OTHERS):
            raise UserError(f"Monte Carlo dropout: no masks for {type(layer).__name__}; use Dropout.")
    if not has_dropout(net):
        raise UserError(
            f"Monte Carlo dropout: {type(net).__name__} has no layer Dropout, Dropout1d, Dropout2d, Dropout3d or "
            "DropConnect with p > 0, so there is nothing to draw. Give it one, or leave the draws out."
        )


def has_dropout(net: nn.Module) -> bool:
    """Whether a network has layers that drop something, and that :class:`MaskedNetwork` knows."""
    return any(isinstance(layer, (*_UNITS, DropConnect)) and layer.p > 0 for layer in net.modules())


class MaskedNetwork:
    """A network, in evaluation mode, under one draw of its masks, from a stream named by a seed and a number.

    Args:
        net: The network, which is left as it is. Its layers `Dropout`, `Dropout1d`, `Dropout2d`, `Dropout3d` and
            `DropConnect` are masked, no others: neither the option `dropout` of an attention or a recurrent layer.
        seed: Of all draws, not negative.
        draw: Number of this one.
    """

    def __init__(self, net: nn.Module, seed: int, draw: int) -> None:
        stream = np.random.SeedSequence(seed, spawn_key=(draw,)).generate_state(1, np.uint64)
        self._generator = Generator().manual_seed(int(stream[0]))  # on the CPU, so that all devices have the same masks
        self._net = net
        self._layers = [layer for layer in net.modules() if isinstance(layer, _UNITS)]
        self._weights = {name: weight * self._mask(weight.shape, p).to(weight) for name, weight, p in _connections(net)}
        self._masks: list[Tensor] = []  # of units, in the order in which the network comes to them
        self._place = 0

    def __call__(self, inputs: Tensor) -> Tensor:
        """Outputs (1, B, ...) for inputs (B, ...).

        Raises:
            UserError: If something is dropped from a tensor whose first dimension is not that of the inputs.
        """
        self._place = 0
        handles = [layer.register_forward_hook(self._drop) for layer in self._layers]
        try:
            outputs: Tensor = functional_call(self._net, self._weights, (inputs,))
        finally:
            for handle in handles:
                handle.remove()
        return outputs.unsqueeze(0)

    def _drop(self, layer: nn.Module, args: object, output: Tensor) -> Tensor:
        """A hook behind a dropout layer, which passes its input on in evaluation mode."""
        assert isinstance(layer, _UNITS)
        shape = (1, *output.shape[1:])
        if isinstance(layer, _CHANNELS):
            shape = (1, output.shape[1], *(1 for _ in output.shape[2:]))
        if self._place == len(self._masks):
            self._masks.append(self._mask(torch.Size(shape), layer.p).to(output))
        mask = self._masks[self._place]
        if mask.shape != shape:
            raise UserError(
                f"Monte Carlo dropout: a mask of shape {tuple(mask.shape)} does not fit {tuple(output.shape)}: all "
                "inputs share it, and must be the first dimension wherever something is dropped."
            )
        self._place += 1
        return output * mask

    def _mask(self, shape: torch.Size, p: float) -> Tensor:
        """Bernoulli(1 - p) / (1 - p), on the CPU."""
        kept = torch.empty(shape).bernoulli_(1.0 - p, generator=self._generator)
        return kept / (1.0 - p) if p < 1.0 else kept


def _connections(net: nn.Module) -> Iterator[tuple[str, Tensor, float]]:
    """The parameters of dropconnect layers: name, value and probability to be dropped."""
    for prefix, layer in net.named_modules():
        if isinstance(layer, DropConnect):
            for name, weight in layer.named_parameters(prefix):
                yield name, weight.detach(), layer.p
