from functools import partial

import pytest
import torch
from torch import nn

from lightning_vi.deterministic_model import DeterministicModel
from lightning_vi.errors import UserError
from lightning_vi.latent_model import LatentModel, StochasticLayer
from lightning_vi.latent_space import (
    NothingToDraw,
    along,
    codes,
    decoded,
    encoder_decoder,
    generative,
    prior_samples,
    require_images,
)
from lightning_vi.likelihoods import Bernoulli, Gaussian, HeteroscedasticGaussian, Likelihood
from lightning_vi.networks import MLP
from tests.latents import Uniform

SHAPE = (3, 4, 2)
tanh = partial(MLP, hidden=[5], activation=nn.Tanh)


def latent_model(likelihood: Likelihood | None = None, upper: bool = False) -> LatentModel:
    layers = [StochasticLayer(2, tanh, tanh)] if upper else []
    return LatentModel(SHAPE, tanh, tanh, 3, likelihood or Bernoulli(), layers).double()


def test_codes_are_means_and_images_the_likelihoods_mean() -> None:
    model, inputs = latent_model(), torch.rand(5, *SHAPE)
    latents = codes(model, inputs)
    torch.testing.assert_close(latents, model.encode(inputs.double()).mean)
    assert not latents.requires_grad
    images = decoded(model, latents.view(5, 1, 3))
    assert images.shape == (5, 1, *SHAPE)
    torch.testing.assert_close(images[:, 0].flatten(start_dim=1), torch.sigmoid(model.decode(latents)).detach())


def test_a_deterministic_model_is_seen_alike() -> None:
    model, inputs = DeterministicModel(SHAPE, tanh, tanh, 3, Bernoulli()), torch.rand(5, *SHAPE)
    images = decoded(model, codes(model, inputs)).flatten(start_dim=1)
    torch.testing.assert_close(images, torch.sigmoid(model.reconstruct(inputs)).detach())


@pytest.mark.parametrize("likelihood", [Gaussian(), HeteroscedasticGaussian()], ids=repr)
def test_means_outside_the_range_of_pixels_are_cut(likelihood: Likelihood) -> None:
    model = latent_model(likelihood)
    model.offset[:24] = torch.linspace(-1.0, 2.0, 24).double()
    latents = torch.zeros(1, 3).double()
    images = decoded(model, latents)
    assert (float(images.min()), float(images.max())) == (0, 1)
    expected = model.likelihood(model.decode(latents)).mean.clamp(0, 1).detach()
    torch.testing.assert_close(images.flatten(start_dim=1), expected)


def test_samples_depend_on_the_seed_alone() -> None:
    model = latent_model(upper=True)
    before = torch.get_rng_state()
    first, again, other = (prior_samples(model, 6, seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert first.shape == (6, *SHAPE)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_samples_of_one_layer_are_of_the_standard_normal_prior() -> None:
    model = Uniform()
    prior_samples(model, 20_000, seed=3)
    (top,) = model.tops
    assert top.mean(dim=0).abs().max() < 5 / 20_000**0.5
    torch.testing.assert_close(torch.cov(top.T), torch.eye(2).double(), atol=0.05, rtol=0)


def test_along_is_descend_with_the_same_noise_everywhere() -> None:
    model = latent_model(upper=True)
    top = torch.randn(1, 2).double()
    images = along(model, torch.cat((top, top, -top)).view(3, 1, 2), seed=4)
    assert images.shape == (3, 1, *SHAPE)
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])
    outputs = model.descend(top, torch.Generator().manual_seed(4))
    torch.testing.assert_close(images[0].flatten(start_dim=1), torch.sigmoid(outputs).detach())


def test_outputs_without_a_likelihood_are_pixels() -> None:
    top = torch.randn(4, 2).double()
    torch.testing.assert_close(along(Uniform(), top, seed=0).view(4, 2), torch.special.ndtr(top))


def test_parts_of_modules_are_found() -> None:
    model, outer = latent_model(), nn.Module()
    outer.model = model
    assert encoder_decoder(outer) is model
    assert generative(outer) is model
    autoencoder = nn.Sequential(DeterministicModel(SHAPE, tanh, tanh, 3, Bernoulli()))
    assert encoder_decoder(autoencoder) is autoencoder[0]
    with pytest.raises(NothingToDraw, match="Sequential has no latent variables to sample"):
        generative(autoencoder)
    with pytest.raises(NothingToDraw, match="Linear has no codes"):
        encoder_decoder(nn.Linear(2, 3))


@pytest.mark.parametrize("shape", [(6,), (8, 8), (2, 8, 8), (1, 2, 8, 8)])
def test_images_are_grey_or_of_three_colours(shape: tuple[int, ...]) -> None:
    model = Uniform()
    require_images(model)
    model.input_shape = shape
    with pytest.raises(UserError, match="are no images"):
        require_images(model)
