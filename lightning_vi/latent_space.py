"""A module's latent space as pictures see it: from data to codes, and from latent variables to pixels."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from lightning_vi.encoder_decoder import EncoderDecoder
from lightning_vi.errors import UserError


class NothingToDraw(UserError):  # noqa: N818  # it is said, and seldom an error
    """Why a picture cannot be had of a module or of its data."""


@runtime_checkable
class Generative(Protocol):
    """A model that makes data of latent variables h_L ~ N(0, I).

    Attributes:
        input_shape: Shape of one x, without the batch.
        sizes: Number of latent variables of each layer; the last is that of h_L.
    """

    input_shape: tuple[int, ...]
    sizes: tuple[int, ...]

    def descend(self, top: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Outputs (..., output_size) for latents (..., D_L); with noise, if there are layers in between."""

    def expected(self, outputs: Tensor) -> Tensor:
        """Means of the data, (..., *input_shape), for outputs (..., output_size)."""


def encoder_decoder(module: nn.Module) -> EncoderDecoder:
    """The part of a module that has codes.

    Raises:
        NothingToDraw: If there is none.
    """
    for part in module.modules():
        if isinstance(part, EncoderDecoder):
            return part
    raise NothingToDraw(f"{type(module).__name__} has no codes")


def generative(module: nn.Module) -> Generative:
    """The part of a module that can be sampled.

    Raises:
        NothingToDraw: If there is none.
    """
    for part in module.modules():
        if isinstance(part, Generative):
            return part
    raise NothingToDraw(f"{type(module).__name__} has no latent variables to sample")


def require_images(model: EncoderDecoder | Generative) -> None:
    """Refuse a model of data that are no images (C, H, W), grey or with three colours.

    Raises:
        NothingToDraw: If they are none.
    """
    shape = tuple(model.input_shape)
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise NothingToDraw(f"inputs of shape {shape} are no images")


@torch.no_grad()
def codes(model: EncoderDecoder, inputs: Tensor) -> Tensor:
    """Codes (B, D) of inputs (B, ...): means of q(h_1 | x), where it is random."""
    return model.encode(inputs.to(_like(model))).mean


@torch.no_grad()
def decoded(model: EncoderDecoder, latents: Tensor) -> Tensor:
    """Expected images (..., C, H, W), see :func:`expected_images`, for latents (..., D) of the first layer."""
    return expected_images(model, model.decode(latents.to(_like(model))))


@torch.no_grad()
def prior_samples(model: Generative, count: int, seed: int) -> Tensor:
    """Expected images (count, C, H, W) for draws from the prior; always the same for a seed, on the same device."""
    like = _like(model)
    generator = torch.Generator(like.device).manual_seed(seed)
    top = torch.randn(count, model.sizes[-1], generator=generator, device=like.device)
    return expected_images(model, model.descend(top.to(like), generator))


@torch.no_grad()
def images_of(model: Generative, top: Tensor, seed: int) -> Tensor:
    """Expected images (count, C, H, W) for latents (count, D_L) of the last layer, and noise of a seed below it."""
    like = _like(model)
    return expected_images(model, model.descend(top.to(like), torch.Generator(like.device).manual_seed(seed)))


@torch.no_grad()
def along(model: Generative, top: Tensor, seed: int) -> Tensor:
    """Expected images (..., C, H, W) for latents (..., D_L) of the last layer.

    Layers below have the same noise everywhere, so that images differ by the latents alone.
    """
    like = _like(model)
    generator = torch.Generator(like.device)
    rows = top.to(like).flatten(end_dim=-2).split(1)
    outputs = torch.cat([model.descend(row, generator.manual_seed(seed)) for row in rows])
    images: Tensor = expected_images(model, outputs).unflatten(0, top.shape[:-1])
    return images


def expected_images(model: EncoderDecoder | Generative, outputs: Tensor) -> Tensor:
    """Means (..., C, H, W) of the data for outputs (..., output_size), cut to [0, 1]."""
    return model.expected(outputs).clamp(0.0, 1.0)


def _like(model: object) -> Tensor:
    """A parameter, for its device and type."""
    assert isinstance(model, nn.Module)
    return next(model.parameters())
