"""`predict` of all supervised modules: one interface, whose numbers do not depend on chunks, mode or random state."""

import copy
import math
from functools import partial
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Categorical, Gaussian, Likelihood
from lightning_vi.modules import BayesByBackprop, DeepEnsemble, MeanField, PointEstimate, SupervisedModule
from lightning_vi.networks import MLP, DropConnect
from lightning_vi.posteriors import SoftplusScale

NET = partial(MLP, hidden=[8], normalization=nn.BatchNorm1d)
WIDE = SoftplusScale(0.3)


def made(name: str, likelihood: Likelihood | None = None) -> SupervisedModule:
    torch.manual_seed(1)
    shape: dict[str, Any] = {"input_shape": (4,), "target_size": 2, "likelihood": likelihood}
    if name == "bbb":
        return BayesByBackprop(NET, posterior=WIDE, draws=6, **shape)
    if name == "bbb, side by side":
        return BayesByBackprop(partial(MLP, hidden=[8]), posterior=WIDE, draws=20, **shape)
    if name == "point":
        return PointEstimate(NET, **shape)
    if name == "dropout":
        return PointEstimate(partial(NET, dropout=0.3, linear=DropConnect), dropout_draws=6, **shape)
    if name == "ensemble":
        return DeepEnsemble(NET, members=3, **shape)
    return DeepEnsemble(NET, members=3, mean_field=MeanField(posterior=WIDE, draws=2), **shape)


NETWORKS = {"bbb": 6, "bbb, side by side": 20, "point": 1, "dropout": 6, "ensemble": 3, "mean field": 6}
RANDOM = ["bbb", "bbb, side by side", "dropout", "mean field"]
X = torch.randn(11, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("likelihood", [Categorical(), Gaussian(0.1)], ids=repr)
@pytest.mark.parametrize("name", NETWORKS)
def test_all_ways_have_one_interface(name: str, likelihood: Likelihood) -> None:
    module = made(name, likelihood)
    predictive = module.predict(X)
    assert predictive.outputs.shape == (NETWORKS[name], 11, 2)
    assert torch.equal(predictive.outputs, module.eval().predictive(X).outputs)
    assert predictive.samples(3).shape == ((3, 11) if isinstance(likelihood, Categorical) else (3, 11, 2))
    spread = (
        predictive.mutual_information if isinstance(likelihood, Categorical) else predictive.epistemic_variance.sum(-1)
    )
    assert (spread > 1e-6).all() if NETWORKS[name] > 1 else (spread.abs() < 1e-6).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_chunks_change_nothing_but_rounding(name: str) -> None:
    module = made(name)
    whole = module.predict(X).outputs
    for memory in (1, 2000):
        torch.testing.assert_close(module.predict(X, memory=memory).outputs, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_module_and_the_random_streams_are_left_as_they_were(name: str) -> None:
    module = made(name).train()
    [*module.modules()][-1].eval()
    modes, random = [each.training for each in module.modules()], torch.get_rng_state()
    state = copy.deepcopy(module.state_dict())
    outputs = module.predict(X).outputs
    assert [each.training for each in module.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    for key, value in module.state_dict().items():
        assert torch.equal(value, state[key]) if isinstance(value, Tensor) else value == state[key]
    assert not outputs.requires_grad
    torch.rand(3)
    assert torch.equal(module.predict(X).outputs, outputs)


@pytest.mark.parametrize("name", RANDOM)
def test_draws_are_those_of_the_seed(name: str) -> None:
    module = made(name)
    first, again, other = (module.predict(X, draws=4, seed=seed).outputs for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    torch.testing.assert_close(module.predict(X, draws=2, seed=3).outputs, first[: len(first) // 2])


def test_the_mean_of_the_weights_is_a_way_of_its_own() -> None:
    bbb = made("bbb").eval()
    assert isinstance(bbb, BayesByBackprop)
    assert torch.equal(bbb.predict(X, draws="mean").outputs[0], bbb.model(X, bbb.model.mean()).detach())
    dropout = made("dropout").eval()
    assert isinstance(dropout, PointEstimate)
    assert torch.equal(dropout.predict(X, draws="mean").outputs[0], dropout.model(X).detach())
    ensemble = made("mean field").eval()
    assert isinstance(ensemble, DeepEnsemble)
    at_mean = torch.cat([each.outputs for each in ensemble.predictives_at_mean(X)])
    torch.testing.assert_close(ensemble.predict(X, draws="mean").outputs, at_mean)


def test_a_network_trained_with_dropout_can_draw_without_the_option() -> None:
    module = PointEstimate(partial(MLP, hidden=[8], dropout=0.5), (4,), 2)
    assert len(module.predict(X).outputs) == 1
    assert module.predict(X, draws=5).outputs.std(0).max() > 0


def test_the_predictive_of_a_linear_model_is_known() -> None:
    """y = w x + b + noise with independent Gaussians is Gaussian; its moments, quantiles and samples are known."""
    draws, sigma, noise = 4000, 0.4, 0.3
    torch.manual_seed(2)
    module = BayesByBackprop(nn.Linear(3, 1), (3,), 1, Gaussian(noise), posterior=SoftplusScale(sigma)).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    predictive = module.predict(x, draws=draws, memory=20_000)
    mean = module.model(x, module.model.mean()).detach()
    epistemic = sigma**2 * (x.square().sum(1, keepdim=True) + 1)
    assert ((predictive.mean - mean) / (epistemic / draws).sqrt()).abs().max() < 5
    assert ((predictive.epistemic_variance / epistemic - 1) / math.sqrt(2 / draws)).abs().max() < 5
    torch.testing.assert_close(predictive.aleatoric_variance, torch.full_like(mean, noise**2))
    deviation = (epistemic + noise**2).sqrt()
    lower, upper = predictive.interval(0.8)
    z = stats.norm.ppf(0.9)
    assert ((lower - (mean - z * deviation)) / deviation).abs().max() < 0.1
    assert ((upper - (mean + z * deviation)) / deviation).abs().max() < 0.1
    standard = ((predictive.samples(4000) - mean) / deviation).squeeze(-1)
    assert all(stats.kstest(column.numpy(), "norm").pvalue > 1e-4 for column in standard.T)


def test_training_that_goes_on_does_not_change_a_prediction() -> None:
    noise = Gaussian(0.1, learn=True)
    module = BayesByBackprop(nn.Linear(4, 1), (4,), 1, noise, draws=3)
    predictive = module.predict(X)
    nll = predictive.nll(torch.zeros(11, 1))
    with torch.no_grad():
        noise.log_sigma.add_(1.0)
    assert torch.equal(predictive.nll(torch.zeros(11, 1)), nll)
    assert not nll.requires_grad


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, r"BayesByBackprop: draws \(=0\) must be at least 1, or 'mean'"),
        ({"draws": "Mean"}, r"BayesByBackprop: draws \(='Mean'\) must be at least 1, or 'mean'"),
        ({"seed": -1}, r"BayesByBackprop: seed \(=-1\) must lie in \[0, 2\^32\)"),
        ({"memory": 0}, r"BayesByBackprop: memory \(=0\) must be at least 1"),
        (
            {"inputs": X[0]},
            r"inputs \(=\(4,\)\) must have the shape \(B, 4\), B of them; give a single one as inputs\[None\]",
        ),
        ({"inputs": X[:, :3]}, r"inputs \(=\(11, 3\)\) must have the shape \(B, 4\)"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        made("bbb").predict(**{"inputs": X, **options})


def test_what_has_nothing_to_draw_says_so() -> None:
    with pytest.raises(UserError, match=r"draws \(=5\): its members are point estimates, with nothing to draw"):
        made("ensemble").predict(X, draws=5)
    with pytest.raises(UserError, match=r"MLP has no layer Dropout, .* nothing to draw"):
        made("point").predict(X, draws=5)
