import copy
import functools

import pytest
import torch
from torch import Tensor, nn

from lightning_vi.networks import MLP, ConvolutionalDecoder, ConvolutionalEncoder, MaxoutMLP, Network, SpectralNorm

NETWORKS = pytest.mark.parametrize(
    ("net", "shape", "size", "count"),
    [
        (functools.partial(MLP, hidden=[12, 10]), (1, 2, 4), 3, 3),
        (functools.partial(MaxoutMLP, hidden=[6], pieces=2), (8,), 1, 2),
        (functools.partial(ConvolutionalEncoder, channels=(4, 6)), (1, 8, 8), 2, 3),
        (functools.partial(ConvolutionalDecoder, image_size=(8, 8), channels=(6, 4)), (5,), 64, 3),
    ],
    ids=["MLP", "MaxoutMLP", "ConvolutionalEncoder", "ConvolutionalDecoder"],
)


def matrices(net: nn.Module) -> list[Tensor]:
    """Weights as matrices of a row for each output or feature map."""
    found = []
    for layer in net.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            found.append(layer.weight.transpose(0, 1).flatten(start_dim=1))
        elif isinstance(layer, nn.Linear | nn.Conv2d):
            found.append(layer.weight.flatten(start_dim=1))
    return found


@NETWORKS
def test_every_layer_has_the_spectral_norm_1_after_some_passes(
    net: Network, shape: tuple[int, ...], size: int, count: int
) -> None:
    normalised, x = SpectralNorm(shape, size, net), torch.randn(3, *shape)
    with torch.no_grad():
        for name, parameter in normalised.named_parameters():
            if name.endswith("original"):
                parameter.mul_(3.0).add_(0.2 * torch.randn_like(parameter))
        for _ in range(200):
            assert normalised(x).shape == (3, size)
    normalised.eval()
    largest = torch.stack([torch.linalg.svdvals(each)[0] for each in matrices(normalised)])
    torch.testing.assert_close(largest, torch.ones(count), atol=1e-3, rtol=0)


@NETWORKS
def test_weights_are_the_networks_own_divided_by_their_norms(
    net: Network, shape: tuple[int, ...], size: int, count: int
) -> None:
    own = net(shape, size)
    before = [each.detach().clone() for each in matrices(own)]
    normalised = SpectralNorm(shape, size, own).eval()
    for ours, theirs in zip(matrices(normalised), before, strict=True):
        torch.testing.assert_close(ours / ours.norm(), theirs / theirs.norm())


@NETWORKS
def test_every_parameter_receives_a_gradient_and_copies_compute_the_same(
    net: Network, shape: tuple[int, ...], size: int, count: int
) -> None:
    normalised, x = SpectralNorm(shape, size, net), torch.randn(64, *shape)
    normalised(x).square().sum().backward()
    for name, parameter in normalised.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
    normalised.eval()
    loaded = SpectralNorm(shape, size, net).eval()
    loaded.load_state_dict(normalised.state_dict())
    for twin in (copy.deepcopy(normalised), loaded):
        assert torch.equal(twin(x), normalised(x))
        assert repr(twin) == repr(normalised)


def test_a_discriminator_of_slope_1_at_most() -> None:
    net = SpectralNorm((6,), 1, functools.partial(MLP, hidden=[20, 20])).double()
    x, y = torch.randn(2, 500, 6, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(200):
            net(x)
        net.eval()
        slopes = (net(x) - net(y)).abs().flatten() / (x - y).norm(dim=-1)
    assert slopes.max() <= 1.0 + 1e-6
