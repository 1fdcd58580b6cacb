import math

import pytest
import torch
from torch import Tensor, nn

from lightning_vi.encoder_decoder import Encoded, EncoderDecoder, map_rows
from lightning_vi.likelihoods import Bernoulli, HeteroscedasticGaussian, Likelihood


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 4, 5, 3), (0, 3), (2, 0, 3)])
def test_leading_dimensions_are_rows_of_a_batch(shape: tuple[int, ...]) -> None:
    network, latents = nn.Linear(3, 4), torch.randn(shape)
    rows = latents.unsqueeze(0) if latents.ndim == 1 else latents
    torch.testing.assert_close(map_rows(network, rows), nn.functional.linear(rows, network.weight, network.bias))


def test_a_convolution_takes_them_too() -> None:
    network = nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 3, 2), nn.Flatten())
    latents = torch.randn(6, 5, 4)
    torch.testing.assert_close(map_rows(network, latents)[2], network(latents[2]))


def test_parameters_may_stand_in_for_the_networks_own() -> None:
    network, latents = nn.Linear(3, 4), torch.randn(2, 5, 3)
    zeros = {name: torch.zeros_like(each) for name, each in network.named_parameters()}
    assert not map_rows(network, latents, zeros).any()
    assert map_rows(network, latents).any()


class Trivial(EncoderDecoder):
    """Codes of one variable that nothing is read from."""

    def encode(self, inputs: Tensor) -> Encoded:
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        return self.offset.expand(*latents.shape[:-1], -1)


@pytest.mark.parametrize("likelihood", [Bernoulli(), HeteroscedasticGaussian()], ids=repr)
def test_it_starts_at_the_moments_of_the_data(likelihood: Likelihood) -> None:
    model = Trivial((1, 2, 3), 1, likelihood)
    assert not model.offset.any()
    mean, variance = torch.linspace(0.2, 0.7, 6), torch.linspace(0.01, 0.2, 6)
    model.start_at(mean, variance)
    distribution = model.likelihood(model.placed(torch.zeros(4, len(model.offset))))
    torch.testing.assert_close(distribution.mean, mean.expand(4, -1))
    if isinstance(likelihood, HeteroscedasticGaussian):
        torch.testing.assert_close(distribution.variance, variance.expand(4, -1))
    assert [*model.state_dict()] == (["offset"] if model.scale is None else ["offset", "scale"])


def test_outputs_are_learnt_in_units_of_the_data_where_the_likelihood_says_so() -> None:
    model = Trivial((3,), 1, HeteroscedasticGaussian(minimum_sigma=0.01))
    mean, variance = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.0001, 0.01, 1.0])
    model.start_at(mean, variance)
    outputs = torch.tensor([1.0, 2.0, -1.0, 0.0, 0.0, math.log(2.0)])
    distribution = model.likelihood(model.placed(outputs))
    torch.testing.assert_close(distribution.mean, torch.tensor([0.01, 0.7, 0.0]))
    # The floor is part of the variance that they start at; none is left for what does not vary beyond it.
    torch.testing.assert_close(
        distribution.variance, torch.tensor([0.0001, 0.01, 2.0 * (1.0 - 0.0001) + 0.0001]), rtol=1e-4, atol=1e-7
    )


def test_it_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        EncoderDecoder((4,), 1, Bernoulli())  # type: ignore[abstract]
