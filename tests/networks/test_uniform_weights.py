import copy
import functools
import pickle

import pytest
import scipy.stats
import torch
from torch import nn

from lightning_vi.errors import UserError
from lightning_vi.networks import (
    MLP,
    ConvolutionalDecoder,
    ConvolutionalEncoder,
    Network,
    Residual,
    SpectralNorm,
    UniformWeights,
)


@pytest.mark.parametrize(
    ("net", "shape", "size"),
    [
        (functools.partial(MLP, hidden=[60, 50], normalization=nn.BatchNorm1d), (40,), 30),
        (functools.partial(ConvolutionalEncoder, channels=(8, 16)), (1, 8, 8), 20),
        (functools.partial(ConvolutionalDecoder, image_size=(8, 8), channels=(16, 8)), (30,), 64),
    ],
    ids=["MLP", "ConvolutionalEncoder", "ConvolutionalDecoder"],
)
def test_weights_are_uniform_and_biases_zero(net: Network, shape: tuple[int, ...], size: int) -> None:
    torch.manual_seed(0)
    network = UniformWeights(shape, size, net, bound=0.03)
    layers = [each for each in network.modules() if isinstance(each, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    assert len(layers) == 3
    for layer in layers:
        weights = layer.weight.detach().flatten().double().numpy()
        assert scipy.stats.kstest(weights, "uniform", (-0.03, 0.06)).pvalue > 1e-3
        assert layer.bias is not None
        assert not layer.bias.any()
    x = torch.randn(5, *shape)
    network(x).sum().backward()
    assert all(each.grad is not None for each in network.parameters())
    network.eval()
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(twin(x), network(x))


def test_without_a_bound_they_are_pytorchs_own() -> None:
    torch.manual_seed(0)
    network = UniformWeights((16,), 2, functools.partial(MLP, hidden=[4000]))
    layer = network[0].get_submodule("linear1")
    assert isinstance(layer, nn.Linear)
    for values in (layer.weight, layer.bias):
        found = values.detach().flatten().double().numpy()
        assert scipy.stats.kstest(found, "uniform", (-0.25, 0.5)).pvalue > 1e-3


@pytest.mark.parametrize("outer", [UniformWeights, Residual])
def test_weights_that_cannot_be_set_are_refused(outer: type[UniformWeights] | type[Residual]) -> None:
    inner = functools.partial(SpectralNorm, net=MLP)
    with pytest.raises(UserError, match=f"the weights of a SpectralNorm cannot be set. Put {outer.__name__} into it"):
        outer((2,), 2, inner)
    SpectralNorm((2,), 2, functools.partial(outer, net=MLP))


@pytest.mark.parametrize("bound", [0.0, -1.0, float("inf"), float("nan")])
def test_bounds_that_are_none(bound: float) -> None:
    with pytest.raises(UserError, match=r"UniformWeights: bound \(=.*\) must be positive and finite"):
        UniformWeights((2,), 1, MLP, bound=bound)
