"""Networks that are made of other things than linear layers: each is drawn, run, trained, copied and saved."""

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18

from lightning_vi.bayesian import BayesianModule
from lightning_vi.modules import BayesByBackprop
from lightning_vi.networks import LeNet
from lightning_vi.posteriors import SoftplusScale
from tests.bare_trainer import trainer

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:You defined a `validation_step` but have no `val_dataloader`",
    "ignore:LSTM with projections is not supported with oneDNN",
    "ignore:There is a performance drop",  # in draws of weight_norm side by side
)


class Recurrent(nn.Module):
    """Reads a sequence (B, T, 4) and judges by its mean output."""

    def __init__(self, rnn: nn.RNNBase, size: int) -> None:
        super().__init__()
        self.rnn, self.head = rnn, nn.Linear(size, 3)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.rnn(x)[0].mean(1))
        return outputs


class Transformer(nn.Module):
    """Two encoder layers with dropout over a sequence (B, T, 4)."""

    def __init__(self, norm_first: bool = False) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(5, 8))
        self.embedding = nn.Linear(4, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.encoder(self.embedding(x) + self.place).mean(1))
        return outputs


class Attention(nn.Module):
    """One layer of attention between a sequence (B, T, 4) and another that is learned, without self-attention."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(2, 6))
        self.attention = nn.MultiheadAttention(6, 3, batch_first=True, kdim=4, vdim=4, add_bias_kv=True)
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        read, _ = self.attention(self.queries.expand(x.shape[0], -1, -1), x, x, need_weights=False)
        outputs: Tensor = self.head(read.flatten(1))
        return outputs


class Tied(nn.Module):
    """A next-token model of 7 tokens (B, T) whose decoder is the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 5)
        self.rnn = nn.GRU(5, 5, batch_first=True)
        self.decoder = nn.Linear(5, 7)
        self.decoder.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        outputs: Tensor = self.decoder(self.rnn(self.embedding(tokens.long()))[0][:, -1])
        return outputs


class Listed(nn.Module):
    """Parameters in a list and in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.matrices = nn.ParameterList([torch.randn(4, 4), torch.randn(4, 3)])
        self.named = nn.ParameterDict({"bias": torch.zeros(3), "scale": torch.ones(())})

    def forward(self, x: Tensor) -> Tensor:
        h = x
        for matrix in self.matrices:
            h = torch.tanh(h @ matrix)
        outputs: Tensor = h * self.named["scale"] + self.named["bias"]
        return outputs


def convolutional() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Dropout2d(0.2), nn.GroupNorm(1, 3)),
        *(nn.Flatten(), nn.PReLU(), nn.Linear(108, 3)),
    )


class Case(NamedTuple):
    make: Callable[[], nn.Module]
    inputs: Tensor


SEQUENCE = torch.linspace(-1, 1, 4 * 5 * 4).sin().view(4, 5, 4)
IMAGES = torch.linspace(-9, 9, 4 * 64).cos().view(4, 1, 8, 8)
CASES = {
    "resnet18": Case(lambda: resnet18(num_classes=3), torch.linspace(-9, 9, 2 * 3 * 32 * 32).cos().view(2, 3, 32, 32)),
    "transformer": Case(Transformer, SEQUENCE),
    "transformer, norm first": Case(partial(Transformer, norm_first=True), SEQUENCE),
    "attention": Case(Attention, SEQUENCE),
    "lstm": Case(lambda: Recurrent(nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True, dropout=0.1), 6), SEQUENCE),
    "lstm, projected": Case(lambda: Recurrent(nn.LSTM(4, 5, batch_first=True, proj_size=3), 3), SEQUENCE),
    "gru": Case(lambda: Recurrent(nn.GRU(4, 3, batch_first=True), 3), SEQUENCE),
    "rnn": Case(lambda: Recurrent(nn.RNN(4, 3, batch_first=True, bias=False), 3), SEQUENCE),
    "convolutional": Case(convolutional, IMAGES),
    "lenet": Case(lambda: LeNet((1, 8, 8), 3), IMAGES),
    "tied": Case(Tied, torch.arange(20.0).view(4, 5) % 7),
    "listed": Case(Listed, SEQUENCE[:, 0]),
    "weight_norm": Case(
        lambda: nn.Sequential(weight_norm(nn.Linear(4, 8)), nn.ReLU(), nn.Linear(8, 3)), SEQUENCE[:, 0]
    ),
    "spectral_norm": Case(lambda: nn.Sequential(spectral_norm(nn.Linear(4, 8)), nn.Linear(8, 3)), SEQUENCE[:, 0]),
    "orthogonal": Case(lambda: nn.Sequential(orthogonal(nn.Linear(4, 4)), nn.Linear(4, 3)), SEQUENCE[:, 0]),
}
SMALL = [name for name in CASES if name != "resnet18"]  # which takes a second for each draw
every_network = pytest.mark.parametrize("name", CASES)
every_small_network = pytest.mark.parametrize("name", SMALL)


@every_network
def test_a_draw_runs_as_the_same_network_with_those_weights(name: str) -> None:
    net, inputs = CASES[name].make(), CASES[name].inputs
    model = BayesianModule(net, posterior=SoftplusScale(0.05), seed=1).eval()
    net.eval()
    assert model.mu.numel() == sum(parameter.numel() for parameter in net.parameters())  # tied ones count once
    first, second = model.draw(), model.draw()
    outputs = model(inputs, first.weights)
    torch.testing.assert_close(outputs, functional_call(net, dict(first.weights), inputs))
    assert not torch.allclose(outputs, model(inputs, second.weights), atol=1e-4)
    with torch.no_grad():  # where attention has a kernel of its own
        torch.testing.assert_close(model(inputs, first.weights), outputs, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model(inputs, model.mean()), net(inputs), rtol=1e-4, atol=1e-5)

    model.train()
    gradients = torch.autograd.grad(model(inputs, first.weights).sin().sum(), list(first.weights.values()))
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


@every_network
def test_it_trains_and_predicts_through_a_trainer(name: str) -> None:
    net, inputs = CASES[name].make(), CASES[name].inputs
    # The whole of a ResNet-18 would take seconds.
    bayesian = r"(conv1|bn1|layer1|fc)\..*" if name == "resnet18" else ".*"
    module = BayesByBackprop(net, tuple(inputs.shape[1:]), 7 if name == "tied" else 3, bayesian=bayesian, draws=3)
    before = module.model.mu.detach().clone()
    run, loader = (
        trainer(max_epochs=1 if name == "resnet18" else 3),
        DataLoader(TensorDataset(inputs, torch.arange(len(inputs)) % 3), 2),
    )
    run.fit(module, loader)
    assert run.callback_metrics["train/elbo"].isfinite()
    assert (module.model.mu != before).float().mean() > 0.5
    (scores,) = run.test(module, loader, verbose=False)
    assert scores["test/nll"] > 0


@every_small_network
def test_its_state_and_its_copies_go_on_with_the_same_draws(name: str) -> None:
    net, inputs = CASES[name].make(), CASES[name].inputs
    model = BayesianModule(net, seed=1)
    model(inputs, model.draw().weights)  # which may leave something behind in a layer
    model.eval()
    other = BayesianModule(CASES[name].make(), seed=2).eval()
    other.load_state_dict(model.state_dict())
    twins = [other, copy.deepcopy(model)]
    if name in ("weight_norm", "spectral_norm", "orthogonal"):
        with pytest.raises(RuntimeError, match="Serialization of parametrized modules is only supported"):
            pickle.dumps(model)
    else:
        twins.append(pickle.loads(pickle.dumps(model)))
    outputs = model(inputs, model.draw().weights)
    for twin in twins:
        torch.testing.assert_close(twin(inputs, twin.draw().weights), outputs)


@every_small_network
def test_many_draws_give_what_they_give_one_by_one(name: str) -> None:
    model, inputs = BayesianModule(CASES[name].make(), seed=1).eval(), CASES[name].inputs
    with torch.no_grad():
        draws = [model.draw().weights for _ in range(9)]
        one_by_one = torch.stack([model(inputs, weights) for weights in draws])
        torch.testing.assert_close(model.outputs(inputs, draws, 9), one_by_one, rtol=1e-4, atol=1e-5)


def test_batch_normalisation_counts_every_draw_as_a_minibatch() -> None:
    model = BayesianModule(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), posterior=SoftplusScale(0.5), seed=1)
    norm: Any = model.net[1]  # type: ignore[index]
    inputs = SEQUENCE[:, 0]
    draws = [model.draw().weights for _ in range(3)]
    mean, variance = torch.zeros(3), torch.ones(3)
    for weights in draws:
        hidden = inputs @ weights["0.weight"].T + weights["0.bias"]
        mean, variance = 0.9 * mean + 0.1 * hidden.mean(0), 0.9 * variance + 0.1 * hidden.var(0)
    model.outputs(inputs, draws, 3)
    torch.testing.assert_close((norm.running_mean, norm.running_var), (mean.detach(), variance.detach()))
    assert norm.num_batches_tracked == 3
    model.eval()
    model.outputs(inputs, draws, 3)
    assert norm.num_batches_tracked == 3


def test_dropout_masks_differ_between_draws() -> None:
    model = BayesianModule(nn.Sequential(nn.Dropout(0.5), nn.Linear(40, 1)), seed=1)
    weights = model.mean()
    outputs = model.outputs(torch.ones(2, 40), [weights] * 10, 10)
    assert len(outputs.flatten().unique()) > 10
    model.eval()
    assert len(model.outputs(torch.ones(2, 40), [weights] * 10, 10).unique()) == 1


def test_synchronised_normalisation_that_is_there_already() -> None:
    net = nn.SyncBatchNorm.convert_sync_batchnorm(convolutional())
    model = BayesianModule(net, seed=1).eval()
    weights = model.draw().weights
    torch.testing.assert_close(model(IMAGES, weights), functional_call(net.eval(), dict(weights), IMAGES))


class Counted(nn.Linear):
    """Counts its calls."""

    calls = 0

    def forward(self, input: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(input)


class Trunk(nn.Module):
    """Convolution, normalisation and recurrence, functions between them, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Counted(4, 6)
        self.norm = nn.BatchNorm1d(5)
        self.rnn = nn.GRU(6, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu_(self.norm(self.first(x)))
        outputs: Tensor = self.head(self.rnn(h)[0][:, -1].tanh())
        return outputs


@pytest.mark.parametrize(("bayesian", "calls"), [(r"head\..*", 1), (r"(rnn|head)\..*", 100)])
def test_what_comes_before_the_first_random_weight_runs_once_for_all_draws(bayesian: str, calls: int) -> None:
    model = BayesianModule(Trunk(), bayesian=bayesian, seed=1).eval()
    first = model.net.first
    assert isinstance(first, Counted)
    with torch.no_grad():
        draws = [model.draw().weights for _ in range(100)]
        outputs = model.outputs(SEQUENCE, iter(draws), 100)
        assert first.calls == calls
        torch.testing.assert_close(outputs, torch.stack([model(SEQUENCE, weights) for weights in draws]))
    model.train()
    first.calls = 0
    model.outputs(SEQUENCE, iter(draws), 100)  # normalisation has statistics of its own for each draw
    assert first.calls == 100
