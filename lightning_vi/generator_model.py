"""x = G(z), z ~ p(z): a distribution that can be sampled, and has no density that could be computed."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightning_vi.likelihoods import Bernoulli
from lightning_vi.likelihoods.likelihood import at_least_float32
from lightning_vi.networks import Network
from lightning_vi.noise_priors import NoisePrior


class GeneratorModel(nn.Module):
    """A generator and the noise that it starts from.

    Args:
        input_shape: Shape of one x, without the batch.
        network: Of ``(input_shape, output_size)``: maps z (B, D) to (B, prod(input_shape)).
        noise: p(z).
        bounded: Whether x lies in [0, 1]: then the network's outputs go through a sigmoid.

    Attributes:
        sizes: (D,), as of a latent variable model.
        offset: Constant added to the network's outputs, (prod(input_shape),); zero unless :meth:`start_at` sets it.
    """

    offset: Tensor

    def __init__(self, input_shape: Sequence[int], network: Network, noise: NoisePrior, bounded: bool) -> None:
        super().__init__()
        self.input_shape, self.sizes = tuple(input_shape), (noise.size,)
        self.noise, self.bounded = noise, bounded
        size = math.prod(self.input_shape)
        self.network = network if isinstance(network, nn.Module) else network((noise.size,), size)
        self.register_buffer("offset", torch.zeros(size))

    def forward(self, noise: Tensor) -> Tensor:
        """G(z), shape (B, *input_shape), for z of shape (B, D)."""
        outputs = at_least_float32(self.network(noise) + self.offset)
        return self.expected(outputs.sigmoid() if self.bounded else outputs)

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """x, shape (count, *input_shape)."""
        examples: Tensor = self(self.noise.draw(count, self.offset.device, generator))
        return examples

    def descend(self, top: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """G(T(h)) flattened, (..., prod(input_shape)), for standard normal h (..., D), see :mod:`noise_priors`."""
        rows: Tensor = self(self.noise.from_normal(top.reshape(-1, top.shape[-1])))
        return rows.reshape(*top.shape[:-1], len(self.offset))

    def expected(self, outputs: Tensor) -> Tensor:
        """Outputs (..., prod(input_shape)) in the shape of data, (..., *input_shape)."""
        examples: Tensor = outputs.unflatten(-1, self.input_shape)
        return examples

    def start_at(self, mean: Tensor, variance: Tensor) -> None:
        """Make outputs near 0 give the mean of the data; its moments are of shape (prod(input_shape),)."""
        self.offset.copy_(Bernoulli().outputs_of(mean, variance) if self.bounded else mean)
