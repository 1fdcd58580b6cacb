import copy
import pickle

import pytest
import torch
from torch import nn

from lightning_vi.errors import UserError
from lightning_vi.networks import DropConnect


def test_evaluation_is_the_mean_of_training_with_the_variance_of_the_mask() -> None:
    torch.manual_seed(0)
    layer, x, draws, p = DropConnect(6, 4, p=0.3).double(), torch.randn(3, 6).double(), 20_000, 0.3
    with torch.no_grad():
        samples = torch.stack([layer(x) for _ in range(draws)])
        layer.eval()
        mean = layer(x)
        assert torch.equal(mean, nn.functional.linear(x, layer.weight, layer.bias))
        # Var[m / (1 - p)] = p / (1 - p) for each weight and bias.
        variance = p / (1 - p) * (x.square() @ layer.weight.T.square() + layer.bias.square())
    z = (samples.mean(0) - mean) / (variance / draws).sqrt()
    assert z.abs().max() < 5
    torch.testing.assert_close(samples.var(0), variance, rtol=0.1, atol=0)


def test_one_mask_serves_the_minibatch_and_the_next_gets_another() -> None:
    torch.manual_seed(0)
    layer = DropConnect(50, 20)
    first, second = layer(torch.randn(1, 50).expand(8, 50)), layer(torch.ones(1, 50))
    assert torch.equal(first, first[:1].expand(8, 20))
    assert not torch.equal(layer(torch.ones(1, 50)), second)


def test_weights_are_dropped_not_units() -> None:
    torch.manual_seed(0)
    layer = DropConnect(40, 30, p=0.25)
    (gradient,) = torch.autograd.grad(layer(torch.ones(1, 40)).sum(), [layer.weight])
    dropped = gradient == 0
    torch.testing.assert_close(gradient[~dropped], torch.full_like(gradient[~dropped], 1 / 0.75))
    assert 0.2 < dropped.float().mean() < 0.3
    assert not dropped.all(0).any()
    assert not dropped.all(1).any()


def test_without_dropping_it_is_a_linear_layer() -> None:
    layer, x = DropConnect(5, 3, bias=False, p=0.0), torch.randn(2, 5)
    assert torch.equal(layer(x), x @ layer.weight.T)


def test_copies_pickles_state_and_repr() -> None:
    layer, x = DropConnect(5, 3, p=0.4).eval(), torch.randn(2, 5)
    plain = nn.Linear(5, 3)
    plain.load_state_dict(layer.state_dict())
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), plain):
        assert torch.equal(twin(x), layer(x))
    assert repr(layer) == "DropConnect(in_features=5, out_features=3, bias=True, p=0.4)"


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_a_probability_outside_its_range_is_refused(p: float) -> None:
    with pytest.raises(UserError, match=rf"DropConnect: p \(={p}\) must lie in \[0, 1\)"):
        DropConnect(2, 2, p=p)
