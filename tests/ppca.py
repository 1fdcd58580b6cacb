"""A linear Gaussian autoencoder, probabilistic PCA, whose marginal likelihood and posterior are known exactly."""

import math

import torch
from torch import Tensor, nn

from lightning_vi.functional.importance import log_mean_exp
from lightning_vi.latent_model import LatentModel, StochasticLayer
from lightning_vi.likelihoods import Gaussian
from lightning_vi.networks import MLP

DIMENSIONS, LATENTS, SIGMA = 6, 2, 0.5


def linear(input_shape: tuple[int, ...], output_size: int) -> MLP:
    return MLP(input_shape, output_size, hidden=[])


def tanh(input_shape: tuple[int, ...], output_size: int) -> MLP:
    return MLP(input_shape, output_size, hidden=[5], activation=nn.Tanh)


def head(network: nn.Module) -> nn.Linear:
    """The last layer of a network."""
    assert isinstance(network, MLP)
    assert isinstance(network.output, nn.Linear)
    return network.output


def ppca() -> LatentModel:
    """p(x | h) = N(W h + b, sigma^2 I) with orthogonal columns of W, so that the posterior is diagonal; q is exact."""
    torch.manual_seed(0)
    model = LatentModel((DIMENSIONS,), linear, linear, LATENTS, Gaussian(SIGMA)).double()
    assert isinstance(model.likelihood, Gaussian)
    model.likelihood.log_sigma.fill_(math.log(SIGMA))  # which was rounded to float32
    decoder, encoder = head(model.decoders[0]), head(model.encoders[0])
    with torch.no_grad():
        basis = torch.linalg.qr(torch.randn(DIMENSIONS, LATENTS, dtype=torch.float64)).Q
        decoder.weight.copy_(basis * torch.tensor([1.5, 0.7]))
        decoder.bias.copy_(torch.randn(DIMENSIONS))
        precision = 1.0 + decoder.weight.square().sum(dim=0) / SIGMA**2
        encoder.weight.zero_()
        encoder.weight[:LATENTS] = decoder.weight.T / SIGMA**2 / precision.unsqueeze(-1)
        encoder.bias.zero_()
        encoder.bias[:LATENTS] = -encoder.weight[:LATENTS] @ decoder.bias
        encoder.bias[LATENTS:] = -precision.log()
    return model


def spoil(model: LatentModel) -> LatentModel:
    """The same p, and a q that is not the posterior."""
    with torch.no_grad():
        head(model.encoders[0]).bias.add_(torch.tensor([0.3, -0.2, 0.5, -0.4]))
    return model


def exact_log_prob(model: LatentModel, x: Tensor) -> Tensor:
    """log p(x) of each row, by the normal distribution of x."""
    decoder = head(model.decoders[0])
    covariance = decoder.weight @ decoder.weight.T + SIGMA**2 * torch.eye(DIMENSIONS, dtype=torch.float64)
    normal = torch.distributions.MultivariateNormal(decoder.bias + model.offset, covariance)
    log_prob: Tensor = normal.log_prob(x)
    return log_prob.detach()


def data(size: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(size, DIMENSIONS, generator=generator, dtype=torch.float64)


def two_layers() -> LatentModel:
    torch.manual_seed(3)
    upper = [StochasticLayer(2, tanh, tanh)]
    return LatentModel((DIMENSIONS,), tanh, tanh, 3, Gaussian(SIGMA), upper).double()


def bound(model: LatentModel, x: Tensor, k: int, repeats: int) -> tuple[Tensor, Tensor]:
    """Monte Carlo mean of L_k, averaged over examples, and its standard error."""
    drawn = model.draw(model.encode(x.repeat(repeats, 1)), x.repeat(repeats, 1), k)
    values = log_mean_exp(drawn.log_weights).view(repeats, len(x)).mean(dim=1)
    return values.mean().detach(), (values.std() / math.sqrt(repeats)).detach()
