import copy
import functools
import pickle
from collections.abc import Sequence

import pytest
import torch
from torch import nn

from lightning_vi.errors import UserError
from lightning_vi.generator_model import GeneratorModel
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian, Uniform

BOTH = pytest.mark.parametrize("bounded", [True, False], ids=["bounded", "unbounded"])


def model(bounded: bool, shape: Sequence[int] = (1, 2, 3)) -> GeneratorModel:
    return GeneratorModel(shape, functools.partial(MLP, hidden=[16]), Uniform(4), bounded)


@BOTH
@pytest.mark.parametrize("shape", [(5,), (1, 2, 3)])
def test_forward_is_the_network_in_the_shape_of_data(bounded: bool, shape: tuple[int, ...]) -> None:
    generator, z = model(bounded, shape), torch.randn(7, 4)
    outputs = generator.network(z)
    examples = generator(z)
    assert examples.shape == (7, *shape)
    torch.testing.assert_close(examples.flatten(1), 1 / (1 + (-outputs).exp()) if bounded else outputs)
    assert generator.sizes == (4,)
    assert generator.draw(3).shape == (3, *shape)
    with torch.autocast("cpu", torch.bfloat16):
        assert generator(z).dtype == torch.float32


def test_bounded_examples_lie_in_the_unit_interval_and_others_need_not() -> None:
    z = 1000.0 * torch.randn(50, 4)
    examples = model(bounded=True)(z)
    assert examples.aminmax().min == 0.0
    assert examples.aminmax().max == 1.0
    assert model(bounded=False)(z).abs().max() > 1.0


@BOTH
def test_a_network_of_zeros_generates_the_mean_that_it_starts_at(bounded: bool) -> None:
    generator = model(bounded)
    mean = torch.linspace(0.001, 0.999, 6) if bounded else torch.linspace(-4.0, 7.0, 6)
    generator.start_at(mean, torch.ones_like(mean))
    nn.init.zeros_(generator.get_parameter("network.output.weight"))
    torch.testing.assert_close(generator.draw(3).flatten(1), mean.expand(3, 6))
    other = model(bounded)
    other.load_state_dict(generator.state_dict())
    assert torch.equal(other.offset, generator.offset)


def test_pixels_that_are_always_black_or_white_start_at_finite_outputs() -> None:
    generator = model(bounded=True, shape=(2,))
    generator.start_at(torch.tensor([0.0, 1.0]), torch.ones(2))
    torch.testing.assert_close(generator.offset.sigmoid(), torch.tensor([0.001, 0.999]))


@pytest.mark.parametrize("wrong", [-0.01, 1.01])
def test_bounded_data_outside_the_unit_interval_are_refused(wrong: float) -> None:
    generator = model(bounded=True, shape=(2,))
    with pytest.raises(UserError, match=r"must lie in \[0, 1\]"):
        generator.start_at(torch.tensor([0.5, wrong]), torch.ones(2))
    assert not generator.offset.any()


@BOTH
@pytest.mark.parametrize("leading", [(5,), (2, 5), (3, 2, 5)], ids=str)
def test_descending_is_generating_from_transformed_normal_noise(bounded: bool, leading: tuple[int, ...]) -> None:
    generator, normal = model(bounded), torch.randn(*leading, 4)
    generator.start_at(torch.rand(6), torch.ones(6))
    rows = generator.descend(normal)
    assert rows.shape == (*leading, 6)
    z = Uniform(4).from_normal(normal)
    truth = torch.stack([generator(each[None])[0].flatten() for each in z.reshape(-1, 4)])
    torch.testing.assert_close(rows.reshape(-1, 6), truth)
    assert torch.equal(generator.expected(rows), rows.reshape(*leading, 1, 2, 3))


def test_draws_are_reproduced_by_a_generator_and_are_of_the_noise() -> None:
    examples = model(bounded=False)
    first, again, other = (examples.draw(5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    z = examples.noise.draw(5, torch.device("cpu"), torch.Generator().manual_seed(1))
    assert torch.equal(first, examples(z))


@BOTH
def test_every_parameter_receives_a_gradient(bounded: bool) -> None:
    generator = model(bounded)
    generator.draw(64).square().sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_a_network_may_be_given_ready_made_and_copies_compute_the_same() -> None:
    network = MLP((4,), 6, [16])
    generator, z = GeneratorModel((2, 3), network, Gaussian(4), bounded=True), torch.randn(5, 4)
    assert generator.network is network
    for twin in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        assert torch.equal(twin(z), generator(z))
        assert repr(twin) == repr(generator)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 0, 3)], ids=str)
def test_latents_may_have_any_leading_dimensions(shape: tuple[int, ...]) -> None:
    model = GeneratorModel((2, 2), functools.partial(MLP, hidden=[4]), Gaussian(3), bounded=True)
    assert model.descend(torch.zeros(shape)).shape == (*shape[:-1], 4)
