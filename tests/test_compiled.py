"""The compiled loops give the numbers of the eager ones; and without a compiler there are the eager ones."""

import shutil

import pytest
import torch
from torch import Tensor, nn

from lightning_vi import noise, reparameterisation
from lightning_vi.bayesian import BayesianModule, Draw
from lightning_vi.posteriors import FactorisedGaussian, SoftplusScale, SoftplusVariance
from lightning_vi.priors import Gaussian, Prior, ScaleMixture

SETUPS = [
    (Gaussian(), SoftplusScale(0.01)),
    (ScaleMixture(0.25, 1.0, 0.0025), SoftplusVariance(0.02)),
]
needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None, reason="needs a C++ compiler"
)


def step(model: BayesianModule, epsilon: Tensor) -> tuple[Draw, tuple[Tensor, ...]]:
    draw = model.draw(epsilon)
    loss = model(torch.ones(4, 50), draw.weights).square().sum() + 1e-3 * draw.kl
    return draw, torch.autograd.grad(loss, [model.mu, model.rho])


@needs_compiler
@pytest.mark.parametrize(("prior", "posterior"), SETUPS)
def test_compiled_and_eager_agree(prior: Prior, posterior: FactorisedGaussian) -> None:
    torch.manual_seed(0)
    model = BayesianModule(nn.Sequential(nn.Linear(50, 30), nn.Linear(30, 3)), prior, posterior, seed=1)
    with torch.no_grad():
        model.rho.add_(3 * torch.randn_like(model.rho))
    epsilon = model.epsilon(model.noise.evaluation())
    draw, gradients = step(model, epsilon)

    assert model.compile_draws()
    torch.testing.assert_close(model.epsilon(model.noise.evaluation()), epsilon, rtol=1e-5, atol=2e-6)
    compiled_draw, compiled_gradients = step(model, epsilon)
    torch.testing.assert_close(compiled_draw.kl, draw.kl, rtol=1e-5, atol=0)
    torch.testing.assert_close(compiled_draw.weights, draw.weights, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(compiled_gradients, gradients, rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize(("prior", "posterior"), SETUPS)
def test_an_adam_step_under_bfloat16_products(prior: Prior, posterior: FactorisedGaussian) -> None:
    """mu, rho and complexity stay in float32: only what enters the products is rounded, compiled or not."""
    models = []
    for compile_draws, dtype in ((True, torch.bfloat16), (False, torch.bfloat16), (False, None)):
        torch.manual_seed(0)
        model = BayesianModule(nn.Sequential(nn.Linear(50, 30), nn.Linear(30, 3)), prior, posterior, seed=1)
        assert not compile_draws or model.compile_draws()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-2, fused=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is not None):
            draw = model.draw()
            assert {weight.dtype for weight in draw.weights.values()} == {dtype or torch.float32}
            assert draw.kl.dtype == torch.float32
            outputs = model(torch.linspace(-1, 1, 200).view(4, 50), draw.weights)
            assert outputs.dtype == (dtype or torch.float32)
            (outputs.float().square().sum() + 1e-3 * draw.kl).backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        assert all(each is not None and each.dtype == torch.float32 for each in gradients)
        optimizer.step()
        models.append(model)
    for name in ("mu", "rho"):
        fast, eager, single = (getattr(model, name).detach() for model in models)
        torch.testing.assert_close(fast, eager, rtol=0, atol=2e-5)
        torch.testing.assert_close(eager, single, rtol=0, atol=2e-4)


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(function: object) -> None:
        raise RuntimeError("No working C++ compiler found\nwith a long explanation")

    monkeypatch.setattr(reparameterisation, "compiled", broken)
    monkeypatch.setattr(noise, "compiled", lambda function: function)
    model = BayesianModule(nn.Linear(3, 2))
    with pytest.warns(UserWarning, match="without compiled loops, which is slower: No working C\\+\\+ compiler found$"):
        assert not model.compile_draws()
    model.draw()
