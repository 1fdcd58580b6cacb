from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lightning_vi import program
from lightning_vi.errors import UserError
from lightning_vi.modules import VAE, BayesByBackprop, DeepEnsemble, PointEstimate
from lightning_vi.networks import MLP, LeNet


def outputs(path: Path, inputs: Tensor) -> Tensor:
    found: Tensor = torch.export.load(path).module()(inputs)
    return found


class Tied(nn.Module):
    """Two layers of the same weights, with normalisation and dropout."""

    def __init__(self, input_shape: tuple[int, ...], output_size: int) -> None:
        super().__init__()
        size = input_shape[0]
        self.first, self.second = nn.Linear(size, size), nn.Linear(size, size)
        self.second.weight = self.first.weight
        self.norm, self.dropout, self.head = nn.BatchNorm1d(size), nn.Dropout(0.5), nn.Linear(size, output_size)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.dropout(self.norm(self.second(self.first(x).relu()))))
        return found


class Sorted(nn.Module):
    """Decides by the data what it does, which no program can follow."""

    def __init__(self, input_shape: tuple[int, ...], output_size: int) -> None:
        super().__init__()
        self.head = nn.Linear(input_shape[0], output_size)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(x) if x.sum() > 0 else -self.head(x)
        return found


@pytest.mark.parametrize(
    ("net", "shape"), [(MLP, (1, 8, 8)), (LeNet, (1, 28, 28)), (Tied, (5,))], ids=lambda value: str(value)
)
def test_gives_the_logits_at_the_posterior_mean_for_any_batch(
    net: type, shape: tuple[int, ...], tmp_path: Path
) -> None:
    module = BayesByBackprop(net, shape, 10).eval()
    program.write(module, tmp_path / "a.pt2")
    for batch in (1, 2, 7):
        inputs = torch.randn(batch, *shape)
        expected = module.predictive(inputs, "mean")
        found = outputs(tmp_path / "a.pt2", inputs)
        torch.testing.assert_close(found, expected.outputs[0])
        torch.testing.assert_close(found.softmax(-1), expected.probabilities)


def test_removed_weights_stay_removed(tmp_path: Path) -> None:
    module = BayesByBackprop(MLP, (6,), 3).eval()
    module.model.kept = torch.arange(module.model.mu.numel()) % 2 > 0
    program.write(module, tmp_path / "a.pt2")
    inputs = torch.randn(4, 6)
    torch.testing.assert_close(outputs(tmp_path / "a.pt2", inputs), module.predictive(inputs, "mean").outputs[0])


def test_of_a_point_estimate_it_is_the_network(tmp_path: Path) -> None:
    module = PointEstimate(Tied, (5,), 3).eval()
    program.write(module, tmp_path / "a.pt2")
    inputs = torch.randn(4, 5)
    torch.testing.assert_close(outputs(tmp_path / "a.pt2", inputs), module.predictive(inputs).outputs[0])


def test_models_without_such_a_network_are_told(tmp_path: Path) -> None:
    for module in (DeepEnsemble(MLP, (5,), 3), VAE((5,), MLP, MLP)):
        with pytest.raises(UserError, match=r"has no single network at a posterior mean; .* FILE\.safetensors"):
            program.write(module, tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())


def test_a_network_that_cannot_be_followed_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Sorted: torch\.export cannot follow this network"):
        program.write(PointEstimate(Sorted, (5,), 3), tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())
