"""What the tests of pictures of latent variables share."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch import seed_everything
from torch import Tensor, nn

from lightning_vi.datamodules import Digits
from lightning_vi.modules import VAE
from lightning_vi.networks import MLP

small = partial(MLP, hidden=[8], dropout=0.5)  # which must not be seen in any picture


def vae(**options: Any) -> tuple[VAE, Digits]:
    """Untrained, of scikit-learn's digits."""
    seed_everything(0, verbose=False)
    data = Digits(batch_size=128, eval_batch_size=100, seed=0)
    module = VAE(data.input_shape, small, small, **{"latent_size": 3, "draws": 2, "val_draws": 2, **options})
    with torch.no_grad():
        for each in module.model.decoders[0].parameters():  # an untrained decoder's images are all alike
            each.mul_(4.0)
    return module, data


class Uniform(nn.Module):
    """Images of D pixels in a row: F(h) of each latent variable, where F is the normal distribution function."""

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(size, dtype=torch.float64))
        self.input_shape: tuple[int, ...] = (1, 1, size)
        self.sizes: tuple[int, ...] = (size,)
        self.tops: list[Tensor] = []

    def descend(self, top: Tensor, generator: torch.Generator | None = None) -> Tensor:
        self.tops.append(top)
        pixels: Tensor = 0.5 + self.scale * (torch.special.ndtr(top) - 0.5)
        return pixels

    def expected(self, outputs: Tensor) -> Tensor:
        pixels: Tensor = outputs.unflatten(-1, self.input_shape)
        return pixels


def spy(monkeypatch: pytest.MonkeyPatch, target: str, function: Callable[..., Any]) -> list[dict[str, Any]]:
    """The arguments, by name, of each call of a function under the name that its user gives it."""
    calls: list[dict[str, Any]] = []

    def call(*args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        calls.append(bound.arguments)
        return function(*args, **kwargs)

    monkeypatch.setattr(target, call)
    return calls
