import copy
import math
import pickle

import pytest
import scipy.stats
import torch

from lightning_vi.corruptions import Corruption, GaussianNoise, Masking
from lightning_vi.errors import UserError

INPUTS = 1 + torch.rand(400, 1, 8, 8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("p", [0.1, 0.25, 0.9])
def test_masking_zeroes_each_input_with_its_probability_and_leaves_the_others(p: float) -> None:
    corrupted = Masking(p)(INPUTS, generator())
    masked = corrupted == 0
    assert torch.equal(corrupted[~masked], INPUTS[~masked])
    count = INPUTS.numel()
    assert abs(masked.double().mean() - p) < 5 * math.sqrt(p * (1 - p) / count)
    # Neighbours, in an image and in a batch, are masked independently.
    for one, other in ((masked[..., 1:], masked[..., :-1]), (masked[1:], masked[:-1])):
        both = (one & other).double()
        assert abs(both.mean() - p**2) < 5 * math.sqrt(3 * p**2 / both.numel())


@pytest.mark.parametrize("sigma", [0.3, 2.0])
def test_the_noise_is_gaussian_and_independent(sigma: float) -> None:
    noise = (GaussianNoise(sigma)(INPUTS.double(), generator()) - INPUTS.double()) / sigma
    assert scipy.stats.kstest(noise.flatten().numpy(), "norm").pvalue > 1e-4
    assert abs((noise[1:] * noise[:-1]).mean()) < 5 / math.sqrt(noise.numel())


@pytest.mark.parametrize("corruption", [Masking(0.0), GaussianNoise(0.0)], ids=repr)
def test_none_of_it_leaves_the_inputs_as_they_are(corruption: Corruption) -> None:
    assert torch.equal(corruption(INPUTS), INPUTS)


@pytest.mark.parametrize("corruption", [Masking(), GaussianNoise()], ids=repr)
def test_noise_comes_from_the_generator_alone_and_by_default_from_the_global_one(corruption: Corruption) -> None:
    before, inputs = torch.get_rng_state(), INPUTS.clone()
    first, again, other = (corruption(inputs, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(inputs, INPUTS)
    assert first.shape == INPUTS.shape
    assert first.dtype == INPUTS.dtype
    assert not torch.equal(corruption(inputs), corruption(inputs))
    assert not torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("corruption", [Masking(0.4), GaussianNoise(0.1)], ids=repr)
def test_copies_and_pickles_are_equal(corruption: Corruption) -> None:
    for twin in (copy.deepcopy(corruption), pickle.loads(pickle.dumps(corruption)), eval(repr(corruption))):
        assert twin == corruption
        assert torch.equal(twin(INPUTS, generator()), corruption(INPUTS, generator()))


@pytest.mark.parametrize("p", [-0.1, 1.0, math.nan])
def test_a_probability_outside_its_range_is_refused(p: float) -> None:
    with pytest.raises(UserError, match=rf"Masking: p \(={p}\) must lie in \[0, 1\)"):
        Masking(p)


@pytest.mark.parametrize("sigma", [-0.1, math.inf, math.nan])
def test_a_standard_deviation_outside_its_range_is_refused(sigma: float) -> None:
    with pytest.raises(UserError, match=rf"GaussianNoise: sigma \(={sigma}\) must be finite and not negative"):
        GaussianNoise(sigma)
