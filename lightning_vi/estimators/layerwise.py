"""What local reparameterisation and flipout share: noise of its own for every example, layer by layer."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_vi.bayesian import BayesianModule, Weights
from lightning_vi.estimators.estimator import Estimate, Estimator
from lightning_vi.noise import NoiseStream

Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


class LayerWeights(NamedTuple):
    """A layer's weight and bias, or the like of their means or standard deviations; no bias is None."""

    weight: Tensor
    bias: Tensor | None


class LayerwiseEstimator(Estimator):
    """Runs the layers that it knows on the posterior mean and adds noise to what they put out.

    A layer counts as known if its type is in :attr:`layers` (a subclass may compute something else) and all its
    parameters are random and its own. Every other random parameter, that of a normalisation layer for instance, is
    drawn once per minibatch. A layer's weights must be used through the layer only.
    """

    layers: tuple[type[Layer], ...]

    def __call__(self, model: BayesianModule, inputs: Tensor) -> Estimate:
        """See :class:`Estimator`."""
        runs = [self._run(model, inputs, noise, sign) for noise, sign in self._noise(model)]
        outputs, kls = zip(*runs, strict=True)
        return Estimate(torch.stack(outputs), torch.stack(kls).mean())

    def _run(self, model: BayesianModule, inputs: Tensor, noise: NoiseStream, sign: float) -> tuple[Tensor, Tensor]:
        draw = model.draw(sign * model.epsilon(noise))
        means, sigmas = model.mean(), model.split(model.sigma)
        weights = dict(draw.weights)
        with ExitStack() as hooks:
            for layer, names in self._known(model):
                weights.update({name: means[name] for name in names})
                hook = self._hook(noise, sign, *(_pick(source, names) for source in (means, sigmas, draw.weights)))
                hooks.callback(layer.register_forward_hook(hook).remove)
            return model(inputs, weights), draw.kl

    def _known(self, model: BayesianModule) -> Iterator[tuple[Layer, list[str]]]:
        own = set(model.mean()) - set(model.tied.values())
        for prefix, module in model.net.named_modules():
            if type(module) in self.layers:
                attributes = ["weight"] if module.bias is None else ["weight", "bias"]
                names = [f"{prefix}.{attribute}" if prefix else attribute for attribute in attributes]
                if own.issuperset(names):
                    yield module, names

    @abstractmethod
    def _hook(
        self, noise: NoiseStream, sign: float, mean: LayerWeights, sigma: LayerWeights, drawn: LayerWeights
    ) -> Any:
        """A forward hook ``(layer, (inputs,), outputs at the mean) -> outputs``."""


def _pick(source: Weights, names: list[str]) -> LayerWeights:
    return LayerWeights(*(source[name] for name in names), *([None] if len(names) == 1 else []))


def linear_map(layer: nn.Module, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What the layer computes, with other weights.

    Args:
        layer: A linear or convolutional layer.
        inputs: Shape (B, ...).
        weight: Shape of the layer's weight.
        bias: Shape of the layer's bias.
    """
    if isinstance(layer, nn.Linear):
        return F.linear(inputs, weight, bias)
    outputs: Tensor = layer._conv_forward(inputs, weight, bias)  # type: ignore[operator]  # knows padding, stride
    return outputs
