import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError
from lightning_vi.placeholder import Placeholder

RANDOM = "'{}' is random, and has a value only while `forward` runs"


def test_a_random_parameter_has_no_value_outside_of_forward() -> None:
    model = BayesianModule(nn.Sequential(nn.Linear(3, 2), nn.LSTM(2, 2)))
    linear, x = model.net[0], torch.ones(1, 3)  # type: ignore[index]
    weight: Placeholder = linear.weight
    for use in (
        lambda: model.net(x),
        lambda: F.linear(x, weight),  # type: ignore[arg-type]
        lambda: torch.cat([x, weight]),  # type: ignore[list-item]
        lambda: x @ weight,  # type: ignore[operator]
        lambda: weight.sum(),
    ):
        with pytest.raises(UserError, match=RANDOM.format("0.weight")):
            use()
    with pytest.raises(UserError, match=RANDOM.format("1.weight_ih_l0")):
        model.net[1](torch.ones(1, 2))  # type: ignore[index]
    assert repr(weight) == "Placeholder('0.weight', (2, 3))"
    for twin in (copy.deepcopy(weight), pickle.loads(pickle.dumps(weight))):
        assert (twin.name, twin.shape) == ("0.weight", (2, 3))


class Checkpointed(nn.Module):
    """Computes its hidden layer once more in the backward pass, when the weights are gone."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(3, 3), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.head(checkpoint(self.hidden, x, use_reentrant=False))
        return outputs


def test_gradient_checkpointing_is_refused_where_it_would_need_random_weights() -> None:
    model = BayesianModule(Checkpointed())
    with pytest.raises(UserError, match=RANDOM.format("hidden.weight")):
        model(torch.ones(2, 3), model.draw().weights).sum().backward()
    model = BayesianModule(Checkpointed(), bayesian=r"head\..*")
    model(torch.ones(2, 3), model.draw().weights).sum().backward()
    assert model.net.hidden.weight.grad is not None  # type: ignore[union-attr]
