import copy
import io
import pickle

import pytest
import torch
from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Bernoulli, Categorical, Gaussian, HeteroscedasticGaussian, Likelihood

S, B, D = 3, 5, 4

LIKELIHOODS = [
    Categorical(),
    Bernoulli(),
    Gaussian(0.3),
    Gaussian(0.3, learn=True),
    HeteroscedasticGaussian(),
]


def draw(likelihood: Likelihood, *leading: int) -> tuple[Tensor, Tensor]:
    """Outputs (*leading, B, output_size) and targets drawn from the likelihood itself, float64."""
    torch.manual_seed(0)
    outputs = torch.randn(*leading, B, likelihood.output_size(D), dtype=torch.float64)
    flat = outputs.reshape(-1, *outputs.shape[-2:])
    return outputs, likelihood.double()(flat[0]).sample()


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
def test_leading_dimensions_share_the_targets(likelihood: Likelihood) -> None:
    outputs, targets = draw(likelihood, 2, S)
    nll = likelihood.nll(outputs, targets)
    assert nll.shape == (2, S, B)
    one_by_one = torch.stack([likelihood.nll(o, targets) for o in outputs.flatten(0, 1)])
    torch.testing.assert_close(nll.flatten(0, 1), one_by_one)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
def test_nll_under_vmap_over_samples_and_over_examples(likelihood: Likelihood) -> None:
    outputs, targets = draw(likelihood, S)
    nll = likelihood.nll(outputs, targets)
    over_samples = torch.vmap(likelihood.nll, in_dims=(0, None))(outputs, targets)
    over_examples = torch.vmap(likelihood.nll, in_dims=(1, 0), out_dims=1)(outputs[:, :, None], targets[:, None])
    torch.testing.assert_close(over_samples, nll)
    torch.testing.assert_close(over_examples.squeeze(-1), nll)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
def test_gradient_of_outputs_and_parameters(likelihood: Likelihood) -> None:
    outputs, targets = draw(likelihood, S)
    outputs.requires_grad_()
    assert torch.autograd.gradcheck(lambda o: likelihood.nll(o, targets), outputs)
    if parameters := list(likelihood.parameters()):
        for gradient in torch.autograd.grad(likelihood.nll(outputs, targets).sum(), parameters):
            assert gradient.any()


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
@pytest.mark.parametrize("reshape", ["column", "row", "too many examples"])
def test_targets_that_would_broadcast_are_refused(likelihood: Likelihood, reshape: str) -> None:
    outputs, targets = draw(likelihood, S)
    wrong = {
        "column": targets.unsqueeze(1),
        "row": targets[:1],
        "too many examples": targets.repeat(2, *[1] * D),
    }
    with pytest.raises(UserError, match=rf"{type(likelihood).__name__}: targets of shape \("):
        likelihood.nll(outputs, wrong[reshape])


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(), HeteroscedasticGaussian()], ids=repr)
def test_flat_targets_for_one_dimension_are_refused(likelihood: Likelihood) -> None:
    outputs = torch.randn(B, likelihood.output_size(1))
    with pytest.raises(UserError, match=r"which ask for \(5, 1\)"):
        likelihood.nll(outputs, torch.ones(B))


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_outputs_are_computed_with_in_float32(likelihood: Likelihood, dtype: torch.dtype) -> None:
    outputs, targets = draw(likelihood)
    if targets.is_floating_point():
        targets = targets.float()
    low = outputs.to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        nll = likelihood.float().nll(low, targets)
    assert nll.dtype == torch.float32
    torch.testing.assert_close(nll, likelihood.nll(low.float(), targets))


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
@pytest.mark.parametrize("target_size", [0, -1])
def test_target_sizes_without_a_density_are_refused(likelihood: Likelihood, target_size: int) -> None:
    with pytest.raises(UserError, match=rf"{type(likelihood).__name__}: target_size \(={target_size}\)"):
        likelihood.output_size(target_size)


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=repr)
def test_copies_pickles_and_state_dicts_mean_the_same(likelihood: Likelihood) -> None:
    outputs, targets = draw(likelihood)
    nll = likelihood.nll(outputs, targets)
    file = io.BytesIO()
    torch.save(likelihood.state_dict(), file)
    file.seek(0)
    loaded = copy.deepcopy(likelihood)
    for tensor in loaded.state_dict().values():
        tensor.fill_(7.0)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    for twin in (copy.deepcopy(likelihood), pickle.loads(pickle.dumps(likelihood)), loaded):
        torch.testing.assert_close(twin.nll(outputs, targets), nll, rtol=0, atol=0)
        assert repr(twin) == repr(likelihood)


def test_only_a_learned_noise_is_a_parameter() -> None:
    assert [len(list(likelihood.parameters())) for likelihood in LIKELIHOODS] == [0, 0, 0, 1, 0]
