r"""Latent variable models p(x, h) with a recognition model q(h | x), one or several stochastic layers.

.. math::
    p(x, h) = p(x \mid h_1)\, p(h_1 \mid h_2) \cdots p(h_L), \qquad
    q(h \mid x) = q(h_1 \mid x)\, q(h_2 \mid h_1) \cdots q(h_L \mid h_{L-1}).

All conditionals of latent variables are Gaussians with a diagonal covariance, whose mean m and log variance eta a
network gives; p(h_L) = N(0, I). Drawn as m + exp(eta / 2) eps, a sample is differentiable in the networks' weights.

References:
    Kingma, Welling 2014, Auto-Encoding Variational Bayes. Rezende, Mohamed, Wierstra 2014, Stochastic Backpropagation
    and Approximate Inference in Deep Generative Models (several layers). Lecture 13, auto-encoding variational Bayes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lightning_vi.encoder_decoder import EncoderDecoder, map_rows
from lightning_vi.errors import UserError
from lightning_vi.functional import diagonal_gaussian
from lightning_vi.likelihoods import Likelihood
from lightning_vi.likelihoods.likelihood import at_least_float32
from lightning_vi.networks import Network


@dataclass(frozen=True)
class StochasticLayer:
    """A layer of latent variables above another one.

    Args:
        size: Number of its latent variables.
        encoder: Network of q(h_l | h_(l-1)), of the layer below.
        decoder: Network of p(h_(l-1) | h_l), of this layer.
    """

    size: int
    encoder: Network
    decoder: Network


class Moments(NamedTuple):
    """What an encoder gives.

    Attributes:
        mean: (..., D)
        log_variance: (..., D)
    """

    mean: Tensor
    log_variance: Tensor


class LayerDraws(NamedTuple):
    """One layer's part of k draws for B examples, D latent variables.

    Attributes:
        mean: Of q, shape (B, D), or (k, B, D) above the first layer.
        log_variance: Of q, same shape.
        latents: Shape (k, B, D), as the densities see them.
        log_ratio: log q - log p of each latent variable at its draw, shape (k, B, D), nats.
        kl: The same for the last layer in closed form, KL[q || p] with the shape of the mean; else the log ratio.
    """

    mean: Tensor
    log_variance: Tensor
    latents: Tensor
    log_ratio: Tensor
    kl: Tensor


class Draws(NamedTuple):
    """k draws from q(h | x) for B examples.

    Attributes:
        log_likelihood: log p(x | h_1), shape (k, B), nats summed over the dimensions of x.
        layers: From the one next to the data upwards.
    """

    log_likelihood: Tensor
    layers: tuple[LayerDraws, ...]

    @property
    def kl(self) -> Tensor:
        """KL[q || p] of all layers, averaged over draws, shape (B,), nats; in closed form where `LayerDraws.kl` is."""
        parts = [layer.kl.sum(dim=-1).expand_as(self.log_likelihood).mean(dim=0) for layer in self.layers]
        return torch.stack(parts).sum(dim=0)

    @property
    def log_weights(self) -> Tensor:
        """log p(x, h) - log q(h | x), shape (k, B), nats."""
        weights = self.log_likelihood
        for layer in self.layers:
            weights = weights - layer.log_ratio.sum(dim=-1)
        return weights


class LatentModel(EncoderDecoder):
    """Encoder, decoder and likelihood, and the same for each layer above.

    Args:
        input_shape: Shape of one x, without the batch.
        encoder: Network of q(h_1 | x); it is asked for 2 `latent_size` outputs, means and log variances.
        decoder: Network of p(x | h_1); it is asked for the outputs that the likelihood needs.
        latent_size: Number of latent variables of the first layer.
        likelihood: p(x | f(h_1)), of x flattened.
        upper: Layers above the first, upwards.

    Raises:
        UserError: If a layer has no latent variable.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        encoder: Network,
        decoder: Network,
        latent_size: int,
        likelihood: Likelihood,
        upper: Sequence[StochasticLayer] = (),
    ) -> None:
        super().__init__(input_shape, latent_size, likelihood)
        self.sizes = (latent_size, *(layer.size for layer in upper))
        if min(self.sizes) < 1:
            raise UserError(f"latent_size and the sizes of upper (={self.sizes}) must be at least 1.")
        below = (self.input_shape, *((size,) for size in self.sizes))
        encoders = (encoder, *(layer.encoder for layer in upper))
        decoders = (decoder, *(layer.decoder for layer in upper))
        asked = (len(self.offset), *(2 * size for size in self.sizes))
        self.encoders = nn.ModuleList(
            make(shape, 2 * size) for make, shape, size in zip(encoders, below, self.sizes, strict=False)
        )
        self.decoders = nn.ModuleList(
            make((size,), number) for make, size, number in zip(decoders, self.sizes, asked, strict=False)
        )

    def encode(self, inputs: Tensor) -> Moments:
        """Moments of q(h_1 | x), each (B, D), for inputs (B, ...)."""
        return _moments(self.encoders[0](inputs))

    def decode(self, latents: Tensor) -> Tensor:
        """See `EncoderDecoder.decode`; of p(x | h_1)."""
        return self.placed(map_rows(self.decoders[0], latents))

    def draw(
        self,
        encoded: Moments,
        targets: Tensor,
        samples: int,
        path: bool = False,
        generator: torch.Generator | None = None,
    ) -> Draws:
        """Draw k times from q(h | x).

        Args:
            encoded: Of q(h_1 | x), see :meth:`encode`.
            targets: What p(x | h) is asked about, shape (B, D).
            samples: k.
            path: Whether the density q(h | x) is a constant function of h: its parameters are held, so that gradients
                flow through the draws alone.
            generator: Of the noise; by default PyTorch's global one.
        """
        posteriors, latents = self._ascend(encoded, samples, path, generator)
        priors = [_moments(map_rows(decoder, h)) for decoder, h in zip(self.decoders[1:], latents[1:], strict=True)]
        layers = []
        for number, ((sampled, density), h) in enumerate(zip(posteriors, latents, strict=True)):
            if number < len(priors):
                log_prior = diagonal_gaussian.log_prob(h, *priors[number])
            else:
                log_prior = diagonal_gaussian.standard_log_prob(h)
            log_ratio = diagonal_gaussian.log_prob(h, *density) - log_prior
            kl = log_ratio if number < len(priors) else diagonal_gaussian.kl_to_standard(*sampled)
            layers.append(LayerDraws(*sampled, h, log_ratio, kl))
        log_likelihood = -self.likelihood.nll(self.decode(latents[0]), targets)
        return Draws(log_likelihood, tuple(layers))

    def _ascend(
        self, encoded: Moments, samples: int, path: bool, generator: torch.Generator | None
    ) -> tuple[list[tuple[Moments, Moments]], list[Tensor]]:
        """For each layer the moments of q that are drawn from and those of its density; and the draws."""
        pairs: list[tuple[Moments, Moments]] = []
        drawn: list[Tensor] = []
        latents: list[Tensor] = []
        for number, encoder in enumerate(self.encoders):
            sampled = encoded if number == 0 else _moments(map_rows(encoder, drawn[-1]))
            density = sampled
            if path and number == 0:
                density = Moments(*(each.detach() for each in sampled))
            elif path:
                held = {name: value.detach() for name, value in encoder.named_parameters()}
                density = _moments(map_rows(encoder, latents[-1], held))
            mean, log_variance = sampled
            shape = (samples, *mean.shape) if number == 0 else mean.shape
            noise = torch.randn(shape, generator=generator, device=mean.device, dtype=mean.dtype)
            drawn.append(diagonal_gaussian.draw(mean, log_variance, noise))
            pairs.append((sampled, density))
            # Seen by the densities as another tensor than by the next encoder: a hook on it scales their gradients
            # once, not once for every layer that they pass on their way to the data.
            latents.append(drawn[-1].view_as(drawn[-1]) if path else drawn[-1])
        return pairs, latents

    def descend(self, top: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Outputs (..., output_size) for latents (..., D_L) of the last layer, drawing those of the layers below."""
        h = top
        for decoder in reversed(self.decoders[1:]):
            mean, log_variance = _moments(map_rows(decoder, h))
            noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
            h = diagonal_gaussian.draw(mean, log_variance, noise)
        return self.decode(h)


def _moments(outputs: Tensor) -> Moments:
    """Moments, each (..., D), of outputs (..., 2 D)."""
    return Moments(*at_least_float32(outputs).chunk(2, dim=-1))
