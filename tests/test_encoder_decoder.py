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
    mean = torch.linspace(0.2, 0.7, 6)
    model.start_at(mean, torch.full((6,), 0.01))
    torch.testing.assert_close(model.likelihood(model.decode(torch.zeros(4, 1))).mean, mean.expand(4, -1))
    assert [*model.state_dict()] == ["offset"]


def test_it_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        EncoderDecoder((4,), 1, Bernoulli())  # type: ignore[abstract]
