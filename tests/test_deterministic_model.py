import copy
from functools import partial

import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from lightning_vi.deterministic_model import DeterministicModel
from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Bernoulli, Gaussian, HeteroscedasticGaussian, Likelihood
from lightning_vi.networks import MLP, ConvolutionalDecoder, ConvolutionalEncoder

DIMENSIONS = 6


def linear(input_shape: tuple[int, ...], output_size: int) -> MLP:
    return MLP(input_shape, output_size, hidden=[])


def data(size: int, seed: int) -> Tensor:
    """Gaussian rows with variances of 9, 4, 1, ... along six directions, and a mean."""
    mixing = torch.randn(DIMENSIONS, DIMENSIONS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rotation: Tensor = torch.linalg.qr(mixing).Q
    noise = torch.randn(size, DIMENSIONS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (noise * torch.tensor([3.0, 2.0, 1.0, 0.5, 0.3, 0.2])) @ rotation.T + mixing[0]


@pytest.mark.parametrize("code_size", [1, 2, 3])
def test_a_linear_autoencoder_is_the_principal_components(code_size: int) -> None:
    """Baldi & Hornik 1989: there are no other minima, so that any descent ends at PCA's projection."""
    training, test = data(200, seed=1), data(50, seed=2)
    model = DeterministicModel((DIMENSIONS,), linear, linear, code_size, Gaussian()).double()
    model.start_at(training.mean(dim=0), training.var(dim=0))
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=300, tolerance_grad=1e-9, tolerance_change=0.0, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        optimizer.zero_grad()
        loss = model.likelihood.nll(model.reconstruct(training), training).mean()
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    pca = PCA(code_size).fit(training.numpy())
    for rows in (training, test):
        projected = torch.from_numpy(pca.inverse_transform(pca.transform(rows.numpy())))
        torch.testing.assert_close(model.reconstruct(rows).detach(), projected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(learn=True), HeteroscedasticGaussian(0.1)], ids=repr)
@pytest.mark.parametrize("convolutional", [False, True])
def test_every_parameter_receives_a_gradient(likelihood: Likelihood, convolutional: bool) -> None:
    encoder = ConvolutionalEncoder if convolutional else partial(MLP, hidden=[9])
    decoder = partial(ConvolutionalDecoder, image_size=(8, 8)) if convolutional else partial(MLP, hidden=[9])
    model = DeterministicModel((1, 8, 8), encoder, decoder, 3, likelihood)
    x = torch.rand(16, 1, 8, 8)
    outputs = model.reconstruct(x)
    assert outputs.shape == (16, likelihood.output_size(64))
    model.likelihood.nll(outputs, x.flatten(start_dim=1)).mean().backward()
    for name, each in model.named_parameters():
        assert each.grad is not None, name
        assert each.grad.any(), name


def test_codes_may_have_leading_dimensions() -> None:
    model, x = DeterministicModel((1, 2, 3), linear, linear, 2, Bernoulli()), torch.rand(4, 1, 2, 3)
    code = model.encode(x).mean
    assert code.shape == (4, 2)
    torch.testing.assert_close(model.decode(code.view(2, 2, 2)).view(4, 6), model.reconstruct(x))


def test_codes_are_at_least_float32_under_mixed_precision() -> None:
    model, x = DeterministicModel((4,), linear, linear, 2, Bernoulli()), torch.rand(3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert model.encode(x).mean.dtype == torch.float32
        assert model.reconstruct(x).dtype == torch.float32


def test_it_can_be_copied_saved_and_shown() -> None:
    model, x = DeterministicModel((4,), linear, linear, 2, HeteroscedasticGaussian()), torch.rand(3, 4)
    model.start_at(torch.rand(4), torch.rand(4))
    fresh = DeterministicModel((4,), linear, linear, 2, HeteroscedasticGaussian())
    fresh.load_state_dict(model.state_dict())
    for twin in (copy.deepcopy(model), fresh):
        assert torch.equal(twin.reconstruct(x), model.reconstruct(x))
        assert repr(twin) == repr(model)
    assert "MLP" in repr(model)


@pytest.mark.parametrize("size", [0, -1])
def test_a_code_needs_variables(size: int) -> None:
    with pytest.raises(UserError, match=rf"code_size \(={size}\) must be at least 1"):
        DeterministicModel((4,), linear, linear, size, Gaussian())
