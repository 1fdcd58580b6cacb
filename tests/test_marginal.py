import math

import pytest
import torch

from lightning_vi import marginal
from lightning_vi.errors import UserError
from lightning_vi.latent_model import LatentModel
from lightning_vi.latent_scores import LatentScores
from lightning_vi.likelihoods import Bernoulli
from lightning_vi.marginal import evaluate
from tests.ppca import DIMENSIONS, data, exact_log_prob, head, linear, ppca, spoil, two_layers


def test_the_nll_is_the_exact_one_within_its_error() -> None:
    model, x = spoil(ppca()), data(4)
    repeated = evaluate(model, x.repeat(300, 1), draws=200).nll.view(300, 4)
    error = repeated.std(dim=0) / math.sqrt(300)
    bias = 0.5 * repeated.var(dim=0)  # of the logarithm of an average, to the first order
    assert ((repeated.mean(dim=0) - bias + exact_log_prob(model, x)).abs() < 5 * error + 0.1 * bias).all()


def test_an_exact_posterior_needs_one_draw() -> None:
    model, x = ppca(), data()
    found = evaluate(model, x, draws=1)
    torch.testing.assert_close(found.nll, -exact_log_prob(model, x))


def test_elbo_is_reconstruction_and_closed_form_kl() -> None:
    model, x = spoil(ppca()), data(4)
    found = evaluate(model, x, draws=20_000)
    mean, log_variance = model.encode(x)
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(torch.zeros(()).double(), 1.0))
    torch.testing.assert_close(found.kl[0], kl.detach())
    torch.testing.assert_close(found.means[0], mean.detach())
    torch.testing.assert_close(found.elbo, -found.reconstruction - kl.sum(dim=-1).detach())
    assert (found.nll < -found.elbo).all()


@pytest.mark.parametrize("outputs", [1, 15, 100, 10**6])
def test_neither_draws_nor_examples_depend_on_the_chunks(outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = spoil(ppca()), data(4)
    monkeypatch.setitem(marginal.OUTPUTS, "cpu", outputs)
    found = evaluate(model, x, 3000)
    torch.testing.assert_close(found.nll, -exact_log_prob(model, x), rtol=0, atol=0.05)
    torch.testing.assert_close(found.means[0], model.encode(x).mean.detach())
    assert [each.shape for each in evaluate(two_layers(), x, 3).means] == [(4, 3), (4, 2)]


def test_a_collapsed_first_layer_leaves_no_unit_above_active() -> None:
    """The upper mean depends on h_1 alone, and h_1 not on x: what is left is the scatter of the draws."""
    model, x = two_layers(), data(5000)
    with torch.no_grad():
        head(model.encoders[0]).weight.zero_()
    found = evaluate(model, x, 10)
    scores = LatentScores(model.sizes, DIMENSIONS)
    scores.update(found)
    assert found.means[1].var(dim=0).max() > 0.01
    assert scores.compute().units[1].variance.abs().max() < 0.01
    assert not found.means_variance[0].any()


def test_the_generator_owns_the_noise() -> None:
    model, x = two_layers(), data()
    first, again = (evaluate(model, x, 3, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first.nll, again.nll)
    assert first.nll.shape == (7,)


def test_it_takes_no_gradient_and_an_empty_batch() -> None:
    model = LatentModel((DIMENSIONS,), linear, linear, 2, Bernoulli())
    found = evaluate(model, torch.zeros(0, DIMENSIONS), 3)
    assert not found.nll.requires_grad
    assert found.nll.shape == (0,)


def test_it_needs_draws() -> None:
    with pytest.raises(UserError, match=r"draws \(=0\) must be at least 1"):
        evaluate(ppca(), data(), 0)
