"""Every estimator must be unbiased: its value and its gradient, coordinate by coordinate, by z-tests in float64."""

from dataclasses import replace

import pytest
import torch
from scipy import integrate
from torch import Tensor, nn
from torch.distributions import Normal

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError
from lightning_vi.estimators import Estimator, Flipout, LocalReparameterisation, WeightSampling
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.priors import Gaussian, Prior, ScaleMixture

X = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]], dtype=torch.float64)
Y = torch.tensor([[0.4], [-1.0]], dtype=torch.float64)
ESTIMATORS = [
    WeightSampling(),
    WeightSampling(samples=4, antithetic=True),
    LocalReparameterisation(),
    LocalReparameterisation(samples=2),
    Flipout(),
    Flipout(samples=2, antithetic=True),
]


def linear_model(prior: Prior) -> BayesianModule:
    torch.manual_seed(0)
    return BayesianModule(nn.Linear(3, 1).double(), prior, SoftplusScale(0.4), seed=5)


def squared_error(outputs: Tensor) -> Tensor:
    return (outputs - Y).square().sum(dim=(1, 2)).mean()


def exact_squared_error(model: BayesianModule) -> Tensor:
    """E_q sum_n (w x_n + b - y_n)^2 = sum_n (bias_n^2 + variance_n), in closed form."""
    mean, sigma = model.mean(), model.split(model.sigma)
    bias = X @ mean["weight"].T + mean["bias"] - Y
    variance = X.square() @ sigma["weight"].square().T + sigma["bias"].square()
    total: Tensor = bias.square().sum() + variance.sum()
    return total


def z_scores(samples: Tensor, truth: Tensor) -> Tensor:
    # An antithetic pair leaves some coordinates without any variance but that of rounding.
    standard_error = (samples.std(dim=0) / samples.shape[0] ** 0.5).clamp(min=1e-12)
    scores: Tensor = (samples.mean(dim=0) - truth) / standard_error
    return scores


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_value_and_gradient_are_unbiased(estimator: Estimator) -> None:
    model = linear_model(Gaussian())
    values, gradients = [], []
    for _ in range(1000):
        loss = squared_error(estimator(model, X).outputs)
        gradients.append(torch.cat(torch.autograd.grad(loss, [model.mu, model.rho])))
        values.append(loss.detach())
    truth = exact_squared_error(model)
    exact_gradient = torch.cat(torch.autograd.grad(truth, [model.mu, model.rho]))
    assert z_scores(torch.stack(values), truth.detach()).abs() < 5
    assert (z_scores(torch.stack(gradients), exact_gradient).abs() < 5).all()


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_complexity_does_not_grow_with_the_number_of_samples(estimator: Estimator) -> None:
    narrow, wide = Gaussian(0.5), ScaleMixture(0.5, 1.0, 0.2)
    model = linear_model(narrow)
    truth = narrow.complexity(model.mu, model.sigma, model.mu).sum()
    torch.testing.assert_close(estimator(model, X).kl, truth)

    mixture = linear_model(wide)
    exact = sum(
        quadrature_kl(mu, sigma, wide) for mu, sigma in zip(mixture.mu.tolist(), mixture.sigma.tolist(), strict=True)
    )
    with torch.no_grad():
        samples = torch.stack([estimator(mixture, X).kl for _ in range(1000)])
    assert z_scores(samples, torch.tensor(exact)).abs() < 5


def quadrature_kl(mu: float, sigma: float, prior: Prior) -> float:
    posterior = Normal(mu, sigma)

    def integrand(w: float) -> float:
        point = torch.tensor(w, dtype=torch.float64)
        log_q = posterior.log_prob(point)
        return float(log_q.exp() * (log_q - prior.log_prob(point)))

    return float(integrate.quad(integrand, mu - 9 * sigma, mu + 9 * sigma, points=[0.0, mu])[0])


class SmallNet(nn.Module):
    """A convolution, a linear layer over positions, a normalisation and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 2, 2)
        self.over_positions = nn.Linear(2, 2, bias=False)
        self.norm = nn.LayerNorm(2)
        self.head = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.over_positions(self.conv(x.unsqueeze(1)).transpose(1, 2))
        outputs: Tensor = self.head(self.norm(h.tanh().mean(1)))
        return outputs


@pytest.mark.parametrize("estimator", [LocalReparameterisation(), Flipout()], ids=repr)
def test_shared_weights_keep_the_model(estimator: Estimator) -> None:
    """Where an example meets a weight at several positions, mean and spread must be those of weight sampling."""
    torch.manual_seed(1)
    model = BayesianModule(SmallNet().double(), posterior=SoftplusScale(0.3), seed=2)
    with torch.no_grad():
        ours = torch.cat([estimator(model, X).outputs for _ in range(1000)])
        truth = torch.cat([WeightSampling()(model, X).outputs for _ in range(1000)])
    for moment in (1, 2):
        a, b = ours.pow(moment), truth.pow(moment)
        z = (a.mean(0) - b.mean(0)) / ((a.var(0) + b.var(0)) / 1000).sqrt()
        assert (z.abs() < 5).all()


@pytest.mark.parametrize("estimator", [LocalReparameterisation(), Flipout()], ids=repr)
def test_noise_is_independent_between_examples(estimator: Estimator) -> None:
    def correlation(estimator: Estimator) -> float:
        model = linear_model(Gaussian())
        twice = X[:1].repeat(2, 1)
        with torch.no_grad():
            outputs = torch.cat([estimator(model, twice).outputs for _ in range(1000)])[..., 0]
        return float(torch.corrcoef(outputs.T)[0, 1])

    assert correlation(WeightSampling()) > 0.999
    if isinstance(estimator, LocalReparameterisation):
        assert abs(correlation(estimator)) < 5 / 1000**0.5
    else:  # the signs decorrelate the noise, though its size is shared
        assert abs(correlation(estimator)) < 0.1


@pytest.mark.parametrize("kind", [WeightSampling, LocalReparameterisation, Flipout])
def test_antithetic_pairs_cancel_what_is_odd(kind: type[Estimator]) -> None:
    model = linear_model(Gaussian())
    first, second, third, fourth = kind(samples=4, antithetic=True)(model, X).outputs
    for pair in (first + second, third + fourth):
        torch.testing.assert_close(pair / 2, model(X, model.mean()))
    assert not torch.allclose(first, third)


def test_tied_layers_are_drawn_as_one() -> None:
    net = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)).double()
    net[1].weight = net[0].weight
    model = BayesianModule(net, posterior=SoftplusScale(0.5), seed=1)
    weight = model.draw(model.epsilon(replace(model.noise))).weights["0.weight"]
    (outputs,) = LocalReparameterisation()(model, X).outputs
    torch.testing.assert_close(outputs, X @ weight.T @ weight.T)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.layer(self.layer(x).relu())
        return outputs


def test_a_layer_used_twice_is_refused_by_local_reparameterisation() -> None:
    model = BayesianModule(Recurrent())
    with pytest.raises(UserError, match="used twice"):
        LocalReparameterisation()(model, torch.randn(2, 3))
    Flipout()(model, torch.randn(2, 3))


@pytest.mark.parametrize("samples", [0, -1])
def test_bad_number_of_samples(samples: int) -> None:
    with pytest.raises(UserError, match=rf"Flipout: samples \(={samples}\) must be at least 1"):
        Flipout(samples)


def test_odd_number_of_antithetic_samples() -> None:
    with pytest.raises(UserError, match=r"samples \(=3\) must be even"):
        WeightSampling(3, antithetic=True)
