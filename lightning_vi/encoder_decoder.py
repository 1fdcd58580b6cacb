"""What deterministic and probabilistic autoencoders share: a likelihood of data given a code, and where it starts."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lightning_vi.likelihoods import Likelihood


class Encoded(Protocol):
    """What an encoder gives."""

    @property
    def mean(self) -> Tensor:
        """Of q(h | x), or the code itself of a deterministic encoder; (B, D)."""


class EncoderDecoder(nn.Module, ABC):
    """A map from data to codes, and a distribution of data for each code.

    Args:
        input_shape: Shape of one x, without the batch.
        code_size: D, number of variables of the code that the decoder of x takes.
        likelihood: p(x | f(h)), of x flattened.

    Attributes:
        offset: Constant added to the decoder's outputs, shape (output_size,); zero unless :meth:`start_at` sets it.
        scale: What they are multiplied with before, of the same shape; None for nothing, as the likelihood says.
    """

    offset: Tensor
    scale: Tensor | None

    def __init__(self, input_shape: Sequence[int], code_size: int, likelihood: Likelihood) -> None:
        super().__init__()
        self.input_shape, self.code_size, self.likelihood = tuple(input_shape), code_size, likelihood
        size = math.prod(self.input_shape)
        self.register_buffer("offset", torch.zeros(likelihood.output_size(size)))
        self.register_buffer("scale", likelihood.scale_of(torch.ones(size)))

    @abstractmethod
    def encode(self, inputs: Tensor) -> Encoded:
        """The code of inputs (B, ...)."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Outputs that make p(x | h) with the likelihood: (..., output_size) for latents (..., D)."""

    def placed(self, outputs: Tensor) -> Tensor:
        """What a decoder's network gives, (..., output_size), as the likelihood takes it."""
        return outputs + self.offset if self.scale is None else torch.addcmul(self.offset, outputs, self.scale)

    def expected(self, outputs: Tensor) -> Tensor:
        """Means of p(x | h), (..., *input_shape), for outputs (..., output_size)."""
        means: Tensor = self.likelihood(outputs).mean.unflatten(-1, self.input_shape)
        return means

    def start_at(self, mean: Tensor, variance: Tensor) -> None:
        """Make p(x | h) start at given moments of the data, each of shape (prod(input_shape),).

        This is what a bias of the decoder's last layer at the logit of the mean does, for any decoder that starts
        near 0. Where the likelihood says so, outputs are learnt in units of the data's standard deviations.
        """
        scale = self.likelihood.scale_of(variance)
        if self.scale is not None and scale is not None:
            self.scale.copy_(scale)
        self.offset.copy_(self.likelihood.outputs_of(mean, variance))


def map_rows(network: nn.Module, latents: Tensor, parameters: dict[str, Tensor] | None = None) -> Tensor:
    """A network's outputs (..., K) for latents (..., D), for networks that take one dimension of batches.

    Args:
        network: Maps (B, D) to (B, K).
        latents: (..., D)
        parameters: In place of the network's own, by name.
    """
    rows = latents.flatten(end_dim=-2)
    outputs: Tensor = network(rows) if parameters is None else functional_call(network, parameters, (rows,))
    return outputs.view(*latents.shape[:-1], outputs.shape[-1])
