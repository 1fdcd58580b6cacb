"""Removed weights are exactly 0, cost nothing and stay away; the others do not notice."""

import copy
import io
import pickle
import shutil
from collections.abc import Mapping
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError
from lightning_vi.estimators import Estimator, Flipout, LocalReparameterisation, WeightSampling
from lightning_vi.posteriors import FactorisedGaussian, SoftplusScale, SoftplusVariance
from lightning_vi.priors import Gaussian, Prior, ScaleMixture
from lightning_vi.pruning import keeping, kept_weights, prune, removal
from lightning_vi.reparameterisation import draw_and_price

PRIORS = [Gaussian(0.7, 0.1), ScaleMixture(0.5, 1.0, 0.1)]
POSTERIORS = [SoftplusScale(0.3), SoftplusVariance(0.3)]
ESTIMATORS = [WeightSampling(2), LocalReparameterisation(), Flipout()]


def network(prior: Prior | None = None, posterior: FactorisedGaussian | None = None) -> BayesianModule:
    """10 inputs, 39 random weights in float64, with standard deviations of their own."""
    net = nn.Sequential(nn.Linear(10, 3), nn.Tanh(), nn.Linear(3, 1, bias=True), nn.Linear(1, 1)).double()
    model = BayesianModule(net, prior, posterior or SoftplusScale(0.3), seed=1)
    with torch.no_grad():
        model.rho.add_(torch.randn_like(model.rho))
    return model


def flat(weights: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([piece.flatten() for piece in weights.values()])


def mask(model: BayesianModule) -> Tensor:
    assert model.kept is not None
    return model.kept


@pytest.mark.parametrize(
    ("fraction", "count"), [(0.0, 0), (0.01, 0), (0.02, 1), (0.5, 20), (0.95, 37), (0.96, 37), (0.98, 38)]
)
def test_exactly_the_rounded_number_is_removed(fraction: float, count: int) -> None:
    model = network()
    assert model.mu.numel() == 39
    assert removal(model, fraction) == round(39 * fraction) == count
    prune(model, fraction)
    assert model.removed == count
    assert int((flat(model.mean()) == 0).sum()) == count


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan")])
def test_a_fraction_outside_of_its_range(fraction: float) -> None:
    with pytest.raises(UserError, match=rf"fraction of weights to remove \(={fraction}\) must lie in \[0, 1\)"):
        removal(network(), fraction)


def test_a_weight_must_be_left() -> None:
    with pytest.raises(UserError, match=r"\(=0.99\) would leave none of 39"):
        removal(network(), 0.99)


def test_the_lowest_ratios_go_first() -> None:
    model = network()
    ratios = model.mu.detach().abs() / SoftplusScale().sigma(model.rho.detach())
    prune(model, 0.5)
    assert ratios[~mask(model)].max() < ratios[mask(model)].min()
    torch.testing.assert_close(model.signal_to_noise()[mask(model)], ratios[mask(model)])
    assert model.signal_to_noise()[~mask(model)].eq(0).all()


def test_of_equal_ratios_the_first_go() -> None:
    model = BayesianModule(nn.Linear(7, 1, bias=False))
    with torch.no_grad():
        model.mu.copy_(torch.tensor([2.0, 1.0, -1.0, 3.0, 1.0, 1.0, -2.0]))
    kept = kept_weights(model, 3)
    assert kept is not None
    assert kept.tolist() == [True, False, False, True, False, True, True]


def test_a_weight_that_is_zero_for_certain_has_no_signal() -> None:
    model = BayesianModule(nn.Linear(3, 1, bias=False))
    with torch.no_grad():
        model.mu.copy_(torch.tensor([1.0, 0.0, 1.0]))
        model.rho.copy_(torch.tensor([0.0, -300.0, -300.0]))  # sigma = 0 in float32: ratios finite, 0 / 0, infinite
    assert [kept_weights(model, count).tolist() for count in (1, 2)] == [  # type: ignore[union-attr]
        [True, False, True],
        [False, False, True],
    ]


@pytest.mark.parametrize("posterior", POSTERIORS, ids=repr)
def test_removed_weights_are_zero_in_every_draw_and_the_others_as_before(posterior: FactorisedGaussian) -> None:
    model = network(posterior=posterior)
    whole = copy.deepcopy(model)
    prune(model, 0.5)
    kept = mask(model)
    for _ in range(5):
        pairs = [(each.mean(), each.draw().weights, each.sample()) for each in (model, whole)]
        for ours, theirs in zip(*pairs, strict=True):
            assert flat(ours)[~kept].eq(0).all()
            assert flat(ours)[kept].ne(0).all()
            assert torch.equal(flat(ours)[kept], flat(theirs)[kept])
    assert model.sigma[~kept].eq(0).all()
    assert torch.equal(model.sigma[kept], whole.sigma[kept])


def test_setting_rho_to_zero_would_not_remove() -> None:
    """The defect of others."""
    sigma = SoftplusScale().sigma(torch.zeros(1))
    assert sigma.item() == pytest.approx(0.6931, abs=1e-4)


def test_the_divergence_is_that_of_the_kept_weights() -> None:
    model = network(Gaussian(0.7, 0.1))
    prune(model, 0.8)
    kept, sigma = mask(model), SoftplusScale().sigma(model.rho)
    truth = kl_divergence(Normal(model.mu[kept], sigma[kept]), Normal(0.1, 0.7)).sum()
    torch.testing.assert_close(model.draw().kl, truth)


def test_the_estimated_complexity_is_that_of_the_kept_weights() -> None:
    model = network(ScaleMixture(0.5, 1.0, 0.1))
    prune(model, 0.8)
    kept, epsilon = mask(model), model.epsilon()
    draw = model.draw(epsilon)
    mu, sigma, weights = model.mu[kept], SoftplusScale().sigma(model.rho)[kept], flat(draw.weights)[kept]
    assert isinstance(model.prior, Prior)
    truth = Normal(mu, sigma).log_prob(weights).sum() - model.prior.log_prob(weights).sum()
    torch.testing.assert_close(draw.kl, truth)


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
@pytest.mark.parametrize("posterior", POSTERIORS, ids=repr)
def test_gradients_are_those_of_the_kept_weights_alone(prior: Prior, posterior: FactorisedGaussian) -> None:
    mu, rho, epsilon = (torch.randn(13, dtype=torch.float64) for _ in range(3))
    kept = torch.rand(13) < 0.4
    # Where sigma vanishes, the derivative of -log sigma is infinite.
    rho[~kept], mu[~kept] = -2000.0, 1e200

    def objective(mu: Tensor, rho: Tensor, epsilon: Tensor, kept: Tensor | None) -> Tensor:
        kl, (weights,) = draw_and_price(mu, rho, epsilon, prior, posterior, [mu.shape], kept=kept)
        return weights.sin().sum() + 0.3 * kl

    leaves = [mu.requires_grad_(), rho.requires_grad_()]
    ours = torch.autograd.grad(objective(mu, rho, epsilon, kept), leaves)
    alone = [leaf.detach()[kept].requires_grad_() for leaf in leaves]
    theirs = torch.autograd.grad(objective(alone[0], alone[1], epsilon[kept], None), alone)
    for our, their in zip(ours, theirs, strict=True):
        assert our[~kept].eq(0).all()
        torch.testing.assert_close(our[kept], their)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_every_estimator_leaves_removed_weights_alone(estimator: Estimator) -> None:
    model = network()
    prune(model, 0.6)
    estimate = estimator(model, torch.randn(5, 10, dtype=torch.float64))
    gradients = torch.autograd.grad(estimate.outputs.square().sum() + estimate.kl, [model.mu, model.rho])
    for gradient in gradients:
        assert gradient.isfinite().all()
        assert gradient[~mask(model)].eq(0).all()
        assert gradient[mask(model)].ne(0).any()


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_every_estimator_is_unbiased_without_them(estimator: Estimator) -> None:
    model = BayesianModule(nn.Linear(6, 1).double(), posterior=SoftplusScale(0.4), seed=2)
    prune(model, 0.5)
    inputs = torch.randn(4, 6, dtype=torch.float64)
    mean, sigma = model.mean(), model.split(model.sigma)
    first = (inputs @ mean["weight"].T + mean["bias"]).squeeze()
    variance = (inputs.square() @ sigma["weight"].square().T + sigma["bias"].square()).squeeze()
    with torch.no_grad():
        squares = torch.stack([estimator(model, inputs).outputs.square().mean(0).squeeze() for _ in range(1500)])
    z = (squares.mean(0) - (first.square() + variance)) / (squares.std(0) / 1500**0.5)
    assert z.abs().max() < 5


@pytest.mark.parametrize(
    "optimizer",
    [
        partial(torch.optim.Adam, lr=0.1, weight_decay=0.1),
        partial(torch.optim.AdamW, lr=0.1),
        partial(torch.optim.SGD, lr=0.01, momentum=0.9),
    ],
)
def test_no_optimizer_brings_them_back(optimizer: partial[torch.optim.Optimizer]) -> None:
    model = network()
    steps = optimizer(model.parameters())
    inputs = torch.randn(5, 10, dtype=torch.float64)

    def train() -> None:
        for _ in range(5):
            steps.zero_grad()
            draw = model.draw()
            (model(inputs, draw.weights).square().sum() + draw.kl).backward()
            steps.step()

    train()  # so that there is momentum
    prune(model, 0.7)
    before = flat(model.mean()).detach()
    train()
    kept = mask(model)
    for weights in (flat(model.mean()), flat(model.sample()), flat(model.draw().weights)):
        assert weights.isfinite().all()
        assert weights[~kept].eq(0).all()
        assert (weights[kept] != before[kept]).all()


def test_pruning_again_goes_on() -> None:
    model = network()
    prune(model, 0.5)
    first = mask(model)
    with torch.no_grad():
        model.mu[~first] = 100.0  # whatever is stored there
    prune(model, 0.2)
    assert torch.equal(mask(model), first)
    assert removal(model, 0.2) == 20
    prune(model, 0.8)
    assert model.removed == 31
    assert not mask(model)[~first].any()


def test_trying_is_undone() -> None:
    model = network()
    with pytest.raises(ZeroDivisionError), keeping(model, kept_weights(model, 5)):  # noqa: PT012
        assert model.removed == 5
        1 / 0  # noqa: B018
    assert model.kept is None


def test_nothing_removed_is_no_mask() -> None:
    model = network()
    prune(model, 0.0)
    assert model.kept is None
    assert "removed" not in repr(model)
    prune(model, 0.5)
    assert "weights=39, removed=20, prior" in repr(model)


def test_state_brings_back_what_is_removed() -> None:
    model = network()
    prune(model, 0.5)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    other = network()
    other.load_state_dict(state)
    assert torch.equal(mask(other), mask(model))
    assert torch.equal(flat(other.draw().weights), flat(model.draw().weights))
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(flat(twin.mean()), flat(model.mean()))

    mask(other)[:] = True  # the state was not handed over but copied
    assert not state["_extra_state"]["kept"].all()
    other.load_state_dict(network().state_dict())
    assert other.kept is None


def test_states_from_before_there_was_pruning() -> None:
    model = network()
    state = model.state_dict()
    del state["_extra_state"]["kept"]
    model.load_state_dict(state)
    assert model.kept is None


def test_deterministic_parameters_are_left_alone() -> None:
    first = nn.Linear(4, 5)
    model = BayesianModule(nn.Sequential(first, nn.Tanh(), nn.Linear(5, 2)), bayesian=r"2\..*")
    prune(model, 0.9)
    assert model.removed == round(0.9 * 12)
    state = model.state_dict()
    assert torch.equal(state["net.0.weight"], first.weight)
    assert torch.equal(state["net.0.bias"], first.bias)


def test_a_shared_weight_is_one_weight() -> None:
    net = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    net[1].weight = net[0].weight
    model = BayesianModule(net)
    prune(model, 0.5)
    assert model.removed == round(4.5)
    weight = model.mean()["0.weight"]
    x = torch.randn(2, 3)
    torch.testing.assert_close(model(x, model.mean()), x @ weight.T @ weight.T)


@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="needs a C++ compiler")
def test_compiled_and_eager_agree() -> None:
    model = BayesianModule(nn.Linear(50, 30), ScaleMixture(0.25, 1.0, 0.0025), SoftplusVariance(0.02), seed=1)
    prune(model, 0.75)
    with torch.no_grad():
        model.rho[~mask(model)] = -300.0
    epsilon = model.epsilon(model.noise.evaluation())

    def step() -> tuple[Tensor, ...]:
        draw = model.draw(epsilon)
        loss = model(torch.ones(4, 50), draw.weights).square().sum() + 1e-3 * draw.kl
        return draw.kl, flat(draw.weights), *torch.autograd.grad(loss, [model.mu, model.rho])

    eager = step()
    assert model.compile_draws()
    compiled = step()
    torch.testing.assert_close(compiled, eager, rtol=1e-4, atol=1e-5)
    for values in compiled[1:]:
        assert values[~mask(model)].eq(0).all()
