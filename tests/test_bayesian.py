import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from lightning_vi.bayesian import BayesianModule, Draw
from lightning_vi.errors import UserError
from lightning_vi.posteriors import FactorisedGaussian, SoftplusScale, SoftplusVariance
from lightning_vi.priors import Gaussian, Prior, ScaleMixture


class ConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.norm(self.conv(x)).relu().mean((2, 3)))
        return outputs


def test_pretrained_weights_are_the_means() -> None:
    net = ConvNet().eval()
    model = BayesianModule(net).eval()
    x = torch.randn(4, 1, 6, 6)
    torch.testing.assert_close(model(x, model.mean()), net(x))
    for name, parameter in net.named_parameters():
        assert torch.equal(model.mean()[name], parameter)


def test_the_network_given_is_left_as_it_was() -> None:
    net = nn.Linear(2, 2)
    BayesianModule(net)
    assert len(list(net.parameters())) == 2


def test_each_weight_is_stored_once() -> None:
    model = BayesianModule(ConvNet())
    assert sum(p.numel() for p in model.parameters()) == 2 * sum(p.numel() for p in ConvNet().parameters())
    assert set(model.state_dict()) == {
        *("mu", "rho", "_extra_state"),
        *("net.norm.running_mean", "net.norm.running_var", "net.norm.num_batches_tracked"),
    }
    with pytest.raises(UserError, match=r"'conv\.weight' is random"):
        model.net(torch.randn(4, 1, 6, 6))


def test_batch_norm_keeps_its_statistics() -> None:
    model = BayesianModule(ConvNet())
    model(torch.randn(4, 1, 6, 6), model.draw().weights)
    assert model.net.norm.num_batches_tracked == 1  # type: ignore[union-attr]


def test_partial_bayes() -> None:
    model = BayesianModule(ConvNet(), bayesian=r"head\..*")
    assert set(model.mean()) == {"head.weight", "head.bias"}
    assert {name for name, _ in model.named_parameters()} == {
        *("mu", "rho", "net.conv.weight", "net.conv.bias", "net.norm.weight", "net.norm.bias")
    }
    outputs = model(torch.randn(4, 1, 6, 6), model.draw().weights)
    outputs.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_frozen_parameters_stay_frozen_and_deterministic() -> None:
    first = nn.Linear(2, 3).requires_grad_(False)
    net = nn.Sequential(first, nn.Linear(3, 1))
    model = BayesianModule(net)
    assert set(model.mean()) == {"1.weight", "1.bias"}
    assert torch.equal(model.state_dict()["net.0.weight"], first.weight)


def test_tied_parameters_stay_tied() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    net[2].weight = net[0].weight
    model = BayesianModule(net)
    assert model.mu.numel() == 9 + 3 + 3
    x = torch.randn(5, 3)
    torch.testing.assert_close(model(x, model.mean()), net(x))
    draw = model.draw().weights
    plain = torch.tanh(x @ draw["0.weight"].T + draw["0.bias"]) @ draw["0.weight"].T + draw["2.bias"]
    torch.testing.assert_close(model(x, draw), plain)


@pytest.mark.parametrize("posterior", [SoftplusScale(0.3), SoftplusVariance(0.3)])
def test_draws_come_from_the_posterior_that_is_priced(posterior: FactorisedGaussian) -> None:
    """Log q must use the sampler's own standard deviation: mean and spread of draws, and the entropy, agree."""
    model = BayesianModule(nn.Linear(100, 200, bias=False), ScaleMixture(0.5, 1.0, 0.1), posterior, seed=3)
    with torch.no_grad():
        weights = model.draw().weights["weight"].flatten()
    noise = (weights - model.mu) / 0.3
    assert abs(noise.mean()) < 5 / noise.numel() ** 0.5
    assert abs(noise.square().mean() - 1) < 5 * (2 / noise.numel()) ** 0.5

    epsilon = model.epsilon()
    draw = model.draw(epsilon)
    flat = torch.cat([piece.flatten() for piece in draw.weights.values()])
    log_q = Normal(model.mu, 0.3).log_prob(flat).sum()
    assert isinstance(model.prior, Prior)
    torch.testing.assert_close(draw.kl, log_q - model.prior.log_prob(flat).sum(), rtol=1e-5, atol=0)


def test_named_views() -> None:
    model = BayesianModule(nn.Linear(3, 2), posterior=SoftplusScale(0.5))
    assert {name: view.shape for name, view in model.split(model.sigma).items()} == {"weight": (2, 3), "bias": (2,)}
    torch.testing.assert_close(model.signal_to_noise(), model.mu.abs() / 0.5)
    with torch.no_grad():
        model.mean()["bias"].zero_()
    assert torch.equal(model.mu[-2:], torch.zeros(2))


def test_every_parameter_gets_a_gradient_and_nothing_is_left_behind() -> None:
    model = BayesianModule(nn.Linear(3, 2), Gaussian())
    before = set(vars(model))
    draw = model.draw()
    (model(torch.randn(4, 3), draw.weights).sum() + draw.kl).backward()
    assert all(p.grad is not None and (p.grad != 0).all() for p in model.parameters())
    assert set(vars(model)) == before


def test_state_brings_back_the_next_draw() -> None:
    model = BayesianModule(nn.Linear(3, 2))
    model.draw()
    other = BayesianModule(nn.Linear(3, 2))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.draw().weights["weight"], model.draw().weights["weight"])
    assert other.noise.position == 2


def test_copies_and_pickles() -> None:
    model = BayesianModule(ConvNet(), ScaleMixture())
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin.draw().weights["conv.weight"], copy.deepcopy(model).draw().weights["conv.weight"])
        assert repr(twin) == repr(model)
    assert "weights=44, prior=ScaleMixture(pi=0.5" in repr(model)


def test_double_precision() -> None:
    model = BayesianModule(nn.Linear(3, 2).double())
    draw = model.draw()
    assert draw.kl.dtype == draw.weights["bias"].dtype == torch.float64


def test_no_parameter_matches() -> None:
    with pytest.raises(
        UserError, match=r"bayesian \(='fc.*'\) matches no trainable parameter; there are: weight, bias"
    ):
        BayesianModule(nn.Linear(2, 2), bayesian="fc.*")


def test_parameters_of_two_types() -> None:
    with pytest.raises(UserError, match="must share one type and device"):
        BayesianModule(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()))


def test_a_pattern_that_is_none() -> None:
    with pytest.raises(UserError, match=r"bayesian \(='output\['\) must be a regular expression"):
        BayesianModule(nn.Linear(2, 2), bayesian="output[")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_bad_seed(seed: int) -> None:
    with pytest.raises(UserError, match=r"seed \(=.*\) must lie in"):
        BayesianModule(nn.Linear(2, 2), seed=seed)


class Watched(nn.Linear):
    """Notes whether its weights stand for several draws at once."""

    side_by_side = False

    def forward(self, input: Tensor) -> Tensor:
        self.side_by_side = torch._C._functorch.is_batchedtensor(self.weight)
        return super().forward(input)


@pytest.mark.parametrize(("count", "side_by_side"), [(2, False), (10, True), (40, True)])
def test_many_draws_of_a_small_network_run_side_by_side(count: int, side_by_side: bool) -> None:
    model = BayesianModule(Watched(3, 2), seed=1)
    net = model.net
    assert isinstance(net, Watched)
    draws, inputs = [model.draw().weights for _ in range(count)], torch.randn(5, 3)
    one_by_one = torch.stack([model(inputs, weights) for weights in draws])
    assert not net.side_by_side
    outputs = model.outputs(inputs, iter(draws), count)
    assert bool(net.side_by_side) == side_by_side
    torch.testing.assert_close(outputs, one_by_one)
    ours, truth = (
        torch.autograd.grad(values.sin().sum(), model.mu, retain_graph=True) for values in (outputs, one_by_one)
    )
    torch.testing.assert_close(ours, truth, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)),
        nn.Linear(200, 200),
    ],
    ids=["buffers", "large"],
)
def test_networks_whose_draws_run_one_after_another(net: nn.Module) -> None:
    model = BayesianModule(net)
    assert model.at_once(10, torch.device("cpu")) == 1
    assert model.at_once(10, torch.device("cuda")) == (10 if isinstance(net, nn.Linear) else 1)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("prior", [Gaussian(), ScaleMixture()])
def test_a_draw_under_autocast_gives_the_same_bits_as_rounding_later(prior: Prior, compiled: bool) -> None:
    torch.manual_seed(0)
    model = BayesianModule(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 9, 3)), prior, seed=1)
    assert not compiled or model.compile_draws()
    inputs, epsilon = torch.randn(4, 1, 5, 5), torch.randn(model.mu.shape)

    def results(draw: Draw) -> list[Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            outputs = model(inputs, draw.weights)
        return [outputs, draw.kl, *torch.autograd.grad(outputs.float().square().sum() + draw.kl, [model.mu, model.rho])]

    later = model.draw(epsilon)
    with torch.autocast("cpu", torch.bfloat16):
        at_once = model.draw(epsilon)
    assert {w.dtype for w in later.weights.values()} == {torch.float32}
    assert {w.dtype for w in at_once.weights.values()} == {torch.bfloat16}
    for one, other in zip(results(at_once), results(later), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("layer", [nn.LayerNorm(3), nn.Embedding(5, 3), nn.PReLU()])
def test_weights_that_autocast_does_not_round_stay_in_float32(layer: nn.Module) -> None:
    model = BayesianModule(nn.Sequential(nn.Linear(3, 3), layer))
    with torch.autocast("cpu", torch.bfloat16):
        assert {w.dtype for w in model.draw().weights.values()} == {torch.float32}
    double = BayesianModule(nn.Linear(3, 3).double())
    with torch.autocast("cpu", torch.bfloat16):
        assert double.draw().weights["weight"].dtype == torch.float64


class FloatHead(nn.Sequential):
    """A network of a user's own, whose last layer leaves autocast."""

    def forward(self, input: Tensor) -> Tensor:
        features = self[0](input)
        with torch.autocast("cpu", enabled=False):
            outputs: Tensor = self[1](features.float())
            return outputs


@pytest.mark.parametrize(
    "net", [FloatHead(nn.Linear(3, 3), nn.Linear(3, 2)), torch.nn.utils.spectral_norm(nn.Linear(3, 2))]
)
def test_weights_that_may_not_go_into_products_alone_stay_in_float32(net: nn.Module) -> None:
    model, inputs = BayesianModule(net), torch.randn(4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        draw = model.draw()
        assert {w.dtype for w in draw.weights.values()} == {torch.float32}
        assert model(inputs, draw.weights).isfinite().all()
