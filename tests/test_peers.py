import csv
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily, Normal, kl_divergence

from benchmarks.pairs import Row
from benchmarks.peers import naive, ours
from benchmarks.peers.complexity import NoData, Share, Term, exact_kl, share
from benchmarks.peers.failures import Failure, attempt
from benchmarks.peers.naive import NaiveNetwork
from benchmarks.peers.report import csv_lines, markdown
from benchmarks.peers.setting import gaussian_prior, mixture_prior, sequential
from benchmarks.step import PRIORS
from lightning_vi.bayesian import BayesianModule
from lightning_vi.networks import MLP
from lightning_vi.posteriors import SoftplusScale

GAUSSIAN, MIXTURE = PRIORS
EXAMPLES = 1000


class Weights(nn.Module):
    """Two tensors with their own posteriors, of different sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.mu = nn.ParameterList([torch.randn(7, dtype=torch.float64), torch.randn(3, 2, dtype=torch.float64)])
        self.rho = nn.ParameterList([torch.randn_like(mu) for mu in self.mu])

    def posterior(self) -> list[tuple[Tensor, Tensor]]:
        return [(mu, rho.exp()) for mu, rho in zip(self.mu, self.rho, strict=True)]

    def divergences(self) -> Tensor:
        return torch.cat([kl_divergence(Normal(*pair), gaussian_prior()).flatten() for pair in self.posterior()])


def term(added: Callable[[Weights], Tensor]) -> Term:
    torch.manual_seed(0)
    module = Weights()
    return Term("name", lambda: added(module), module.posterior, module, gaussian_prior(), (13, 1), "reason")


@pytest.mark.parametrize(
    ("added", "ratio"),
    [
        (lambda weights: weights.divergences().sum() / EXAMPLES, 1.0),
        (lambda weights: weights.divergences().mean() / EXAMPLES, 1 / 13),
        (lambda weights: weights.divergences().sum(), EXAMPLES),
    ],
    ids=["elbo", "mean over weights", "not divided by N"],
)
def test_a_share_is_the_factor_of_the_divergence(added: Callable[[Weights], Tensor], ratio: float) -> None:
    result = share(term(added), EXAMPLES)
    assert result.ratio == pytest.approx(ratio)
    assert result.gradient == pytest.approx(ratio)


def test_a_constant_changes_the_value_and_not_the_gradient() -> None:
    result = share(term(lambda weights: weights.divergences().sum() / EXAMPLES - 0.5 * 13 / EXAMPLES), EXAMPLES)
    assert result.added == pytest.approx(result.exact - 0.0065)
    assert result.gradient == pytest.approx(1.0)


def test_quadrature_is_the_closed_form_for_a_mixture_of_equals() -> None:
    torch.manual_seed(0)
    posterior = Weights().posterior()
    equals = MixtureSameFamily(Categorical(torch.ones(2)), Normal(torch.zeros(2), torch.ones(2)))
    assert exact_kl(posterior, equals).item() == pytest.approx(exact_kl(posterior, gaussian_prior()).item(), rel=1e-9)


@pytest.mark.parametrize("name", PRIORS)
def test_the_mixture_and_the_gaussian_are_those_of_our_own_step(name: str) -> None:
    w = torch.linspace(-5, 5, 101)
    prior = {GAUSSIAN: gaussian_prior, MIXTURE: mixture_prior}[name]()
    torch.testing.assert_close(prior.log_prob(w), PRIORS[name][0].log_prob(w), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", PRIORS)
def test_naive_network_is_ours_at_the_same_noise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    prior: Distribution = {GAUSSIAN: gaussian_prior, MIXTURE: mixture_prior}[name]()
    model = BayesianModule(MLP((6,), 3, [5, 4]), PRIORS[name][0], SoftplusScale())
    network = NaiveNetwork((6, 5, 4, 3), prior)
    for tensors, flat in ((network.mu, model.mu), (network.rho, model.rho)):
        for tensor, piece in zip(tensors, model.split(flat).values(), strict=True):
            tensor.data.copy_(piece)
    epsilon = torch.randn_like(model.mu)
    pieces = iter(model.split(epsilon).values())
    monkeypatch.setattr(torch.distributions.normal, "_standard_normal", lambda *_, **__: next(pieces))

    x = torch.randn(8, 6)
    draw = model.draw(epsilon)
    mine = (model(x, draw.weights), draw.kl)
    theirs = network(x)
    for value, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(value, other, rtol=1e-4, atol=1e-5)
    (mine[0].square().sum() + mine[1]).backward()
    (theirs[0].square().sum() + theirs[1]).backward()
    for flat, tensors in ((model.mu, network.mu), (model.rho, network.rho)):
        gradient = torch.cat([tensor.grad.flatten() for tensor in tensors if tensor.grad is not None])
        torch.testing.assert_close(flat.grad, gradient, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("terms", [ours.terms, naive.terms], ids=["ours", "naive"])
def test_ours_and_the_naive_loss_are_the_elbo(terms: Callable[[], list[Term]]) -> None:
    torch.manual_seed(0)
    gaussian, mixture = terms()
    exact = share(gaussian, 50_000)
    assert exact.ratio == pytest.approx(1.0, abs=1e-5)
    assert exact.gradient == pytest.approx(1.0, abs=1e-5)
    estimate = share(replace(mixture, draws=100), 50_000)
    assert estimate.ratio == pytest.approx(1.0, abs=0.01)
    assert estimate.gradient == pytest.approx(1.0, abs=0.2)


def test_no_data_leaves_the_complexity_alone() -> None:
    outputs = torch.randn(4, 3, requires_grad=True)
    loss: Tensor = NoData()(outputs, torch.zeros(4))
    loss.backward()
    assert loss.item() == 0.0
    assert not outputs.grad.any() if outputs.grad is not None else False


def test_sequential_has_rectifiers_between_its_layers_only() -> None:
    kinds = [type(layer) for layer in sequential((5, 4, 3))]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear]


def test_what_fails_is_reported_in_one_line() -> None:
    failures: list[Failure] = []

    def broken() -> int:
        raise ImportError("first line\nsecond line")

    assert attempt("peer", broken, failures) is None
    assert attempt("other", lambda: 1, failures) == 1
    assert failures == [Failure("peer", "ImportError: first line")]


def test_report_has_every_row_and_the_ratio_of_peer_by_ours() -> None:
    steps = [
        Row("step, Gaussian prior, deterministic", "net", 2.0, 1.0),
        Row("step, Gaussian prior, peer", "net", 2.0, 5.0, 1.9),
    ]
    epochs = [Row("epoch, Gaussian prior, peer", "net, 100 steps", 100.0, 300.0)]
    complexity = [(term(lambda weights: weights.divergences().mean()), Share(2.0, 1.0, math.nan))]
    text = markdown(steps, epochs, complexity, [Failure("gone", "ImportError: no")], "device", "commit")
    assert "| Gaussian prior | net | peer | 5.00 | 5.00 | 2.00 | 2.50 | 1.9 |" in text
    assert "| Gaussian prior | net, 100 steps | peer | 300 | 100 | 3.00 |" in text
    assert "| name | 13-1 | 1 | 2 | 0.5 | nan | reason |" in text
    assert "- gone: ImportError: no" in text
    rows = list(csv.DictReader(csv_lines(steps + epochs, complexity, "device", "commit")))
    assert [row["ratio"] for row in rows] == ["0.5", "2.5", "3", "0.5"]
    assert list(rows[0]) == ["name", "size", "ours", "reference", "ratio", "device", "commit"]
