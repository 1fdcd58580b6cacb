r"""Deterministic autoencoders: a code h = g(x) for each x, and what it keeps of it.

.. math:: -\log p(x \mid f(g(x))).

With a Gaussian likelihood of standard deviation 1 this is half the squared error \|x - f(g(x))\|^2, plus a constant.
If f and g are linear too, its minimum is the orthogonal projection upon the principal components.

References:
    Baldi, Hornik 1989, Neural Networks and Principal Component Analysis: Learning from Examples Without Local Minima.
    Lecture 13, autoencoders.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from lightning_vi.encoder_decoder import EncoderDecoder, map_rows
from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Likelihood
from lightning_vi.likelihoods.likelihood import at_least_float32
from lightning_vi.networks import Network


class Code(NamedTuple):
    """What the encoder gives.

    Attributes:
        mean: The code, (B, D); called so because it stands where a recognition model has a mean.
    """

    mean: Tensor


class DeterministicModel(EncoderDecoder):
    """Encoder, decoder and likelihood.

    Args:
        input_shape: Shape of one x, without the batch.
        encoder: Network of g; it is asked for `code_size` outputs.
        decoder: Network of f; it is asked for the outputs that the likelihood needs.
        code_size: D, number of variables of the code.
        likelihood: p(x | f(h)), of x flattened.

    Raises:
        UserError: If the code has no variable.
    """

    def __init__(
        self, input_shape: Sequence[int], encoder: Network, decoder: Network, code_size: int, likelihood: Likelihood
    ) -> None:
        if code_size < 1:
            raise UserError(f"code_size (={code_size}) must be at least 1.")
        super().__init__(input_shape, code_size, likelihood)
        self.encoder = encoder(self.input_shape, code_size)
        self.decoder = decoder((code_size,), len(self.offset))

    def encode(self, inputs: Tensor) -> Code:
        """The code (B, D) of inputs (B, ...)."""
        return Code(at_least_float32(self.encoder(inputs)))

    def decode(self, latents: Tensor) -> Tensor:
        """See `EncoderDecoder.decode`."""
        return self.placed(map_rows(self.decoder, latents))

    def reconstruct(self, inputs: Tensor) -> Tensor:
        """Outputs (B, output_size) for the codes of inputs (B, ...)."""
        return self.decode(self.encode(inputs).mean)
