import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError
from lightning_vi.estimators import Estimate, Estimator, WeightSampling
from lightning_vi.likelihoods import Categorical, Gaussian
from lightning_vi.objectives import Epoch, expected_nll, negative_elbo
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.priors import Gaussian as GaussianPrior
from lightning_vi.weighting import Geometric, Uniform, Weighting

N, BATCH = 23, 5  # a ragged last minibatch of 3


class Posterior(Estimator):
    """Outputs that depend on nothing but the inputs, with a fixed complexity: the ELBO is then known."""

    KL = 7.0

    def __call__(self, model: BayesianModule, inputs: Tensor) -> Estimate:
        return Estimate((2.0 * inputs).expand(self.samples, -1, -1), torch.tensor(self.KL, dtype=torch.float64))


def data() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(N, 4, dtype=torch.float64), torch.randint(4, (N,))


def steps(batch_size: int) -> list[slice]:
    return [slice(start, min(start + batch_size, N)) for start in range(0, N, batch_size)]


def negative_elbo_of_all() -> Tensor:
    x, y = data()
    return Categorical().nll((2.0 * x).unsqueeze(0), y).sum() + Posterior.KL


@pytest.mark.parametrize("weighting", [Uniform(), Geometric()], ids=repr)
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("batch_size", [BATCH, 1, N, 22])
def test_an_epoch_adds_up_to_the_negative_elbo(weighting: Weighting, samples: int, batch_size: int) -> None:
    x, y = data()
    cut = steps(batch_size)
    epoch = Epoch(N, N, len(cut))
    model = BayesianModule(nn.Linear(1, 1))
    losses = [
        negative_elbo(
            Posterior(samples)(model, x[part]), Categorical(), y[part], weighting(i, epoch.batches), epoch
        ).loss
        for i, part in enumerate(cut)
    ]
    torch.testing.assert_close(torch.stack(losses).mean() * N, negative_elbo_of_all())


@pytest.mark.parametrize("devices", [2, 3])
@pytest.mark.parametrize("weighting", [Uniform(), Geometric()], ids=repr)
def test_devices_average_to_the_objective_of_one(devices: int, weighting: Weighting) -> None:
    """Each device has its own part of every minibatch; a last part may even be empty."""
    x, y = data()
    model = BayesianModule(nn.Linear(1, 1))
    cut = steps(BATCH * devices)
    epoch = Epoch(N, N, len(cut), devices)
    for i, part in enumerate(cut):
        share = weighting(i, epoch.batches)
        single = negative_elbo(Posterior()(model, x[part]), Categorical(), y[part], share, Epoch(N, N, len(cut)))
        parts = [
            negative_elbo(
                Posterior()(model, x[part][rank::devices]), Categorical(), y[part][rank::devices], share, epoch
            )
            for rank in range(devices)
        ]
        torch.testing.assert_close(torch.stack([p.loss for p in parts]).mean(), single.loss)
        torch.testing.assert_close(torch.stack([p.nll for p in parts]).mean(), single.nll)


@pytest.mark.parametrize("weighting", [Uniform(), Geometric()], ids=repr)
@pytest.mark.parametrize("accumulated", [1, 2, 3, 7, 8])
def test_accumulated_minibatches_have_the_objective_of_a_large_one(accumulated: int, weighting: Weighting) -> None:
    """Of the epoch's last step too, which may have fewer minibatches; the Trainer divides by their full number."""
    x, y = data()
    model = BayesianModule(nn.Linear(1, 1))
    small, large = steps(3), steps(3 * accumulated)
    epoch, whole = Epoch(N, N, len(small), accumulated=accumulated), Epoch(N, N, len(large))
    assert epoch.steps == len(large)
    losses = [
        negative_elbo(Posterior()(model, x[p]), Categorical(), y[p], epoch.share(weighting, i), epoch).loss
        for i, p in enumerate(small)
    ]
    for i, part in enumerate(large):
        expected = negative_elbo(Posterior()(model, x[part]), Categorical(), y[part], whole.share(weighting, i), whole)
        minibatches = losses[i * accumulated : (i + 1) * accumulated]
        torch.testing.assert_close(torch.stack(minibatches).sum() / accumulated, expected.loss)


def test_equal_minibatches_give_the_mean_nll_plus_the_kl_per_example() -> None:
    """Not N times the mean NLL against the share of one minibatch's KL, which is too small by M."""
    outputs, targets = torch.randn(1, 10, 3), torch.randint(3, (10,))
    step = negative_elbo(Estimate(outputs, torch.tensor(50.0)), Categorical(), targets, 1 / 100, Epoch(1000, 1000, 100))
    torch.testing.assert_close(step.nll, nn.functional.cross_entropy(outputs[0], targets))
    assert math.isclose(float(step.kl), 50 / 1000, rel_tol=1e-6)
    torch.testing.assert_close(step.loss, step.nll + step.kl)


def test_dropped_batches_leave_the_balance_of_the_full_training_set() -> None:
    outputs, targets = torch.randn(1, 10, 3), torch.randint(3, (10,))
    step = negative_elbo(Estimate(outputs, torch.tensor(50.0)), Categorical(), targets, 1 / 2, Epoch(1000, 20, 2))
    torch.testing.assert_close(step.nll, nn.functional.cross_entropy(outputs[0], targets))
    assert math.isclose(float(step.kl), 50 / 1000, rel_tol=1e-6)


def test_draws_are_averaged_not_added() -> None:
    outputs, targets = torch.randn(1, 10, 3), torch.randint(3, (10,))
    epoch = Epoch(10, 10, 1)
    repeated = expected_nll(Categorical(), outputs.repeat(6, 1, 1), targets, epoch)
    torch.testing.assert_close(repeated, expected_nll(Categorical(), outputs, targets, epoch))


def test_bad_epochs() -> None:
    with pytest.raises(UserError, match="at least 1"):
        Epoch(0, 0, 1)
    with pytest.raises(UserError, match="visited must not exceed examples"):
        Epoch(10, 11, 1)


class Conjugate:
    """Linear regression with orthogonal inputs, whose exact posterior is factorised, so that the bound can be tight.

    w_i ~ N(0, s^2), y = X w + N(0, t^2), X^T X diagonal: the posterior's precision is 1/s^2 + (X^T X)_ii / t^2, and
    at the optimum the ELBO is the log evidence log N(y | 0, s^2 X X^T + t^2 I).
    """

    n, d, s, t = 12, 3, 1.5, 0.4

    def __init__(self) -> None:
        torch.manual_seed(0)
        scales = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
        self.x = torch.linalg.qr(torch.randn(self.n, self.d, dtype=torch.float64))[0] * scales
        self.y = self.x @ torch.tensor([[1.0], [-0.5], [0.2]]).double() + self.t * torch.randn(self.n, 1).double()
        precision = 1 / self.s**2 + self.x.square().sum(0) / self.t**2
        self.posterior = Normal((self.x * self.y).sum(0) / self.t**2 / precision, precision.rsqrt())
        covariance = self.s**2 * self.x @ self.x.T + self.t**2 * torch.eye(self.n).double()
        self.evidence = MultivariateNormal(torch.zeros(self.n).double(), covariance).log_prob(self.y[:, 0])
        net = nn.Linear(self.d, 1, bias=False).double()
        self.model = BayesianModule(net, GaussianPrior(self.s), SoftplusScale(0.3), seed=0)
        self.likelihood, self.epoch = Gaussian(self.t), Epoch(self.n, self.n, 1)

    def loss(self, estimator: Estimator) -> Tensor:
        return negative_elbo(estimator(self.model, self.x), self.likelihood, self.y, 1.0, self.epoch).loss


def test_at_the_exact_posterior_the_elbo_is_the_log_evidence_and_its_gradient_zero() -> None:
    truth = Conjugate()
    with torch.no_grad():
        truth.model.mu.copy_(truth.posterior.mean)
        truth.model.rho.copy_(truth.posterior.stddev.expm1().log())
    estimator = WeightSampling()
    elbos, gradients = [], []
    for _ in range(1000):
        loss = truth.loss(estimator)
        gradients.append(torch.cat(torch.autograd.grad(loss, list(truth.model.parameters()))))
        elbos.append(-truth.n * loss.detach())
    elbo, gradient = torch.stack(elbos), torch.stack(gradients)
    assert abs(elbo.mean() - truth.evidence) < 5 * elbo.std() / 1000**0.5
    assert (gradient.mean(0).abs() < 5 * gradient.std(0) / 1000**0.5).all()


def test_training_finds_the_exact_posterior() -> None:
    truth = Conjugate()
    optimizer = torch.optim.Adam(truth.model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)
    estimator = WeightSampling(samples=8, antithetic=True)
    for _ in range(300):
        optimizer.zero_grad()
        truth.loss(estimator).backward()
        optimizer.step()
        scheduler.step()
    torch.testing.assert_close(truth.model.mu.detach(), truth.posterior.mean, atol=1e-4, rtol=0)
    # The ELBO falls short of the log evidence by this divergence, in nats.
    learned = Normal(truth.model.mu.detach(), truth.model.sigma.detach())
    assert kl_divergence(learned, truth.posterior).sum() < 0.01
