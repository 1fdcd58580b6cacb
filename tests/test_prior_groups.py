"""Priors per group of parameters, against the same terms computed by themselves in float64."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from lightning_vi.__main__ import main
from lightning_vi.bayesian import BayesianModule
from lightning_vi.estimators import Flipout, WeightSampling
from lightning_vi.loading import load
from lightning_vi.modules import BayesByBackprop, DeepEnsemble, MeanField
from lightning_vi.networks import MLP
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.priors import ByName, Gaussian, Prior, ScaleMixture
from lightning_vi.pruning import prune
from tests.elsewhere import elsewhere as elsewhere
from tests.test_compiled import needs_compiler

MIXTURE = ScaleMixture(0.25, 1.0, 0.05)
RULE = ByName({".*bias": Gaussian(10.0), "2.*": MIXTURE, ".*": Gaussian(0.5, 0.1)})


def model_of(prior: ByName | Prior) -> BayesianModule:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    return BayesianModule(net, prior, SoftplusScale(0.3), seed=1)


def separate_kl(model: BayesianModule, epsilon: Tensor) -> Tensor:
    """The same by torch.distributions: closed forms of Gaussians, log q - log p of the mixture at the draw."""
    mean, sigma, noise = model.mean(), model.split(model.sigma), model.split(epsilon)
    q = {name: Normal(mean[name], sigma[name]) for name in mean}
    total = sum(kl_divergence(q[name], Normal(0.0, 10.0)).sum() for name in ("0.bias", "2.bias"))
    total = total + kl_divergence(q["0.weight"], Normal(0.1, 0.5)).sum()
    w = mean["2.weight"] + sigma["2.weight"] * noise["2.weight"]
    log_p = torch.logsumexp(
        torch.stack(
            [Normal(0.0, s).log_prob(w) + torch.tensor(share).log() for s, share in ((1.0, 0.25), (0.05, 0.75))]
        ),
        dim=0,
    )
    kl: Tensor = total + (q["2.weight"].log_prob(w) - log_p).sum()
    return kl


def test_kl_and_gradients_are_those_of_each_group_by_itself() -> None:
    model = model_of(RULE)
    epsilon = model.epsilon()
    draw = model.draw(epsilon)
    truth = separate_kl(model, epsilon)
    torch.testing.assert_close(draw.kl, truth, rtol=1e-7, atol=0)
    assert list(draw.weights) == list(model.mean())
    for name, drawn in model.at(epsilon).items():
        torch.testing.assert_close(draw.weights[name], drawn)
    x = torch.linspace(-1, 1, 15, dtype=torch.float64).view(5, 3)
    ours = torch.autograd.grad(model(x, draw.weights).sin().sum() + 0.3 * draw.kl, [model.mu, model.rho])
    plain = torch.autograd.grad(model(x, model.at(epsilon)).sin().sum() + 0.3 * truth, [model.mu, model.rho])
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-9)  # the fast softplus has 7 digits


def test_equal_priors_are_one_group_with_the_bits_of_a_single_prior() -> None:
    single, equal = model_of(Gaussian(0.5)), model_of(ByName({"0.*": Gaussian(0.5), ".*": Gaussian(0.5)}))
    for one, other in ((single.draw(), equal.draw()),):
        assert torch.equal(one.kl, other.kl)
        assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)
    assert len(equal._groups.groups) == 1


@dataclass  # neither frozen nor hashable
class Own(Prior):
    scale: float

    def log_prob(self, weights: Tensor) -> Tensor:
        return Gaussian(self.scale).log_prob(weights)


def test_priors_of_a_users_own() -> None:
    model = model_of(ByName({"0.*": Own(1.0), "2.w.*": Own(2.0), ".*": Own(1.0)}))
    assert [list(group.names) for group in model._groups.groups] == [["0.weight", "0.bias", "2.bias"], ["2.weight"]]
    epsilon = model.epsilon()
    weights = model.at(epsilon)
    scales = {"0.weight": 1.0, "0.bias": 1.0, "2.weight": 2.0, "2.bias": 1.0}
    log_p = sum(Normal(0.0, scales[name]).log_prob(weights[name]).sum() for name in scales)
    log_q = Normal(model.mu, model.sigma).log_prob(model.mu + model.sigma * epsilon).sum()
    torch.testing.assert_close(model.draw(epsilon).kl, log_q - log_p)


def test_removed_weights_cost_nothing_in_any_group() -> None:
    model = model_of(RULE)
    prune(model, 0.5)
    epsilon = model.epsilon()
    draw = model.draw(epsilon)
    assert sum(int((weight == 0).sum()) for weight in draw.weights.values()) == model.removed == 13
    gradients = torch.autograd.grad(draw.kl, [model.mu, model.rho])
    assert model.kept is not None
    for gradient in gradients:
        assert torch.equal(gradient != 0, model.kept)


def test_estimators_take_it() -> None:
    model, x = model_of(RULE), torch.ones(5, 3, dtype=torch.float64)
    for estimator in (WeightSampling(samples=4, antithetic=True), Flipout()):
        assert estimator(model, x).kl.isfinite()


@needs_compiler
def test_compiled_and_eager_agree() -> None:
    torch.manual_seed(0)
    model = BayesianModule(nn.Sequential(nn.Linear(50, 30), nn.Linear(30, 3)), RULE_OF_TWO, SoftplusScale(0.1), seed=1)
    epsilon = model.epsilon(model.noise.evaluation())

    def results() -> tuple[Tensor, ...]:
        draw = model.draw(epsilon)
        loss = model(torch.ones(4, 50), draw.weights).square().sum() + 1e-3 * draw.kl
        return draw.kl, *torch.autograd.grad(loss, [model.mu, model.rho])

    eager = results()
    assert model.compile_draws()
    torch.testing.assert_close(results(), eager, rtol=1e-4, atol=1e-5)


RULE_OF_TWO = ByName({".*bias": Gaussian(10.0), ".*": MIXTURE})


def test_an_ensemble_has_the_priors_of_its_members() -> None:
    rule = ByName({r"output\.bias|.*bias": Gaussian(10.0), ".*": Gaussian(0.5)})
    net = partial(MLP, hidden=[5])
    ensemble = DeepEnsemble(net, (4,), 2, members=3, mean_field=MeanField(rule, SoftplusScale(0.2)))
    model = ensemble.networks
    assert isinstance(model, BayesianModule)
    kl = 0.0
    for name, mean in model.split(model.mu.detach()).items():
        prior = Normal(0.0, 10.0 if name.endswith("bias") else 0.5)
        kl += float(kl_divergence(Normal(mean, 0.2), prior).sum())
    assert float(model.draw().kl.detach()) == pytest.approx(kl, rel=1e-5)


def test_from_a_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.yaml").write_text(
        """
        model:
          init_args:
            net: {init_args: {hidden: [8]}}
            draws: 2
            prior:
              class_path: ByName
              init_args:
                priors:
                  .*bias: {class_path: Gaussian, init_args: {sigma: 10}}
                  .*: {class_path: FanInGaussian, init_args: {scale: 1}}
        """
    )
    few = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--trainer.callbacks=[LastCheckpoint]"]
    options = ["--config=bbb_digits.yaml", "--config=own.yaml", "--data.watch_test=false", *few]
    assert main(["fit", *options]) == 0
    module = load("runs/bbb_digits/version_0/checkpoints/last.ckpt", BayesByBackprop)
    groups = {group.prior: list(group.names) for group in module.model._groups.groups}
    assert groups.keys() == {Gaussian(10.0), Gaussian(1 / 64**0.5), Gaussian(1 / 8**0.5)}
    assert all(name.endswith("bias") for name in groups[Gaussian(10.0)])
    capsys.readouterr()
    assert main(["fit", *options, "--model.prior.priors={head.*: Gaussian, .*: Gaussian}"]) == 2
    assert "ByName: priors has 'head.*', which no random parameter is the first to match" in capsys.readouterr().err
