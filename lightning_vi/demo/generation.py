"""Images of a generative model for codes that a visitor chooses."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_vi.latent_paths import great_circle
from lightning_vi.latent_pictures import REACH, traversal_images, traversed
from lightning_vi.latent_space import Generative, along
from lightning_vi.plots.latent_tiles import SPACE, mosaic

SEED = 0
"""Of the noise in the layers below the last, which stays the same, so that the code alone changes the image."""

VALUES = 9
"""Of each latent variable, to find those that change the image most."""


def most_active(model: Generative, count: int) -> list[int]:
    """The latent variables that change the image most, at most so many, see `traversal_images`."""
    _, order = traversal_images(model, traversed(VALUES), SEED)
    return order[:count]


def drawn_code(size: int, seed: int) -> Tensor:
    """A draw from the prior, (D,), but within the sliders' reach."""
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)).clamp(-REACH, REACH)


def moved(code: Tensor, values: Mapping[int, float]) -> Tensor:
    """The code (D,) with other values of some variables."""
    result = code.clone()
    for variable, value in values.items():
        result[variable] = value
    return result


def picture(model: Generative, codes: Tensor) -> NDArray[np.uint8]:
    """The images of codes (T, D) side by side, grey ones as ink on paper: (Y, X, 3)."""
    images = along(model, codes.unsqueeze(0), SEED)
    return np.round(255 * mosaic(images.cpu(), SPACE)).astype(np.uint8)


def walk(size: int, seeds: tuple[int, int], positions: Tensor) -> Tensor:
    """Codes (T, D) at positions t in [0, 1] between the draws of two seeds, see `great_circle`."""
    start, end = (torch.randn(size, generator=torch.Generator().manual_seed(seed)) for seed in seeds)
    return great_circle(start, end, positions)
