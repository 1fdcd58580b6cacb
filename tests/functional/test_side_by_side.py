import pytest
import torch
from torch import Tensor, nn

from lightning_vi.bayesian import BayesianModule
from lightning_vi.functional.side_by_side import ONE_BY_ONE, SideBySide

WEIGHTS = {"a": torch.randn(3, 4), "b": torch.randn(3)}


POINTS = torch.arange(4.0)


def line(weights: dict[str, Tensor], inputs: Tensor = POINTS) -> Tensor:
    return weights["a"] * inputs + weights["b"]


@pytest.mark.parametrize("inputs", [None, torch.randn(3, 4)], ids=["none", "own"])
def test_both_ways_agree(inputs: Tensor | None) -> None:
    torch.testing.assert_close(SideBySide()(line, WEIGHTS, inputs), ONE_BY_ONE(line, WEIGHTS, inputs))


class Writes(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        outputs = torch.zeros(len(input), self.out_features)
        outputs += super().forward(input)
        return outputs


class Looks(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        outputs = super().forward(input)
        return outputs if outputs.norm() > 1 else 2 * outputs


class Recurrent(nn.LSTMCell):
    def forward(self, input: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(input)[0]


@pytest.mark.parametrize("layer", [Writes, Looks, Recurrent])
def test_networks_that_cannot_run_side_by_side_run_one_by_one(layer: type[nn.Module]) -> None:
    model, inputs = BayesianModule(layer(4, 2), seed=1), torch.randn(5, 4)
    draws = [model.sample() for _ in range(20)]
    truth = torch.stack([model(inputs, weights) for weights in draws])
    with pytest.warns(UserWarning, match="one draw or member after another: "):
        outputs = model.outputs(inputs, iter(draws), 20)
    torch.testing.assert_close(outputs, truth)
    torch.testing.assert_close(model.outputs(inputs, iter(draws), 20), truth)  # and says so once
