import pytest
import torch
from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.mc_dropout import MaskedNetwork, has_dropout, require_dropout
from lightning_vi.networks import MLP, DropConnect


def draws(net: nn.Module, inputs: Tensor, count: int, seed: int = 0) -> Tensor:
    """Outputs (count, B, ...)."""
    with torch.no_grad():
        return torch.cat([MaskedNetwork(net.eval(), seed, draw)(inputs) for draw in range(count)])


def test_moments_of_dropped_inputs_and_of_dropped_weights() -> None:
    count, p = 5000, 0.3
    x = torch.randn(3, 6).double()
    linear, connected = nn.Linear(6, 4).double(), DropConnect(6, 4, p=p).double()
    for net, layer, bias in (
        (nn.Sequential(nn.Dropout(p), linear), linear, torch.zeros(4)),
        (connected, connected, connected.bias.detach()),
    ):
        samples, mean = draws(net, x, count), layer(x).detach()
        # Var[z / (1 - p)] = p / (1 - p) for each input, or each weight and bias.
        variance = p / (1 - p) * (x.square() @ layer.weight.detach().T.square() + bias.square())
        z = (samples.mean(0) - mean) / (variance / count).sqrt()
        assert z.abs().max() < 5
        torch.testing.assert_close(samples.var(0), variance, rtol=0.15, atol=0)


@pytest.mark.parametrize("linear", [nn.Linear, DropConnect])
def test_all_inputs_share_a_mask_and_draws_differ(linear: type[nn.Linear]) -> None:
    net = MLP((4,), 3, hidden=[16, 16], input_dropout=0.2, dropout=0.5, linear=linear)
    x = torch.randn(1, 4)
    first, second = draws(net, x.expand(5, 4), 2)
    torch.testing.assert_close(first, first[:1].expand(5, 3))
    assert not torch.allclose(first, second)


def test_a_draw_is_named_by_seed_and_number_and_independent_of_the_batch() -> None:
    net, x = MLP((4,), 3, hidden=[16], dropout=0.5, linear=DropConnect), torch.randn(7, 4)
    whole = draws(net, x, 3)
    network = MaskedNetwork(net, 0, 2)
    with torch.no_grad():
        parts = torch.cat([network(part) for part in x.split(2)], dim=1)
    torch.testing.assert_close(parts[0], whole[2])
    assert torch.equal(draws(net, x, 3), whole)
    assert not torch.allclose(draws(net, x, 3, seed=1), whole)


def test_a_layer_that_is_used_twice_has_two_masks() -> None:
    drop = nn.Dropout(0.5)
    twice = draws(nn.Sequential(drop, drop), torch.ones(1, 10_000), 1)
    assert abs(float((twice == 0).float().mean()) - 0.75) < 0.03
    assert set(twice.unique().tolist()) == {0.0, 4.0}


@pytest.mark.parametrize(("layer", "dims"), [(nn.Dropout1d, 1), (nn.Dropout2d, 2), (nn.Dropout3d, 3)])
def test_channels_are_dropped_as_a_whole(layer: type[nn.Dropout1d], dims: int) -> None:
    outputs = draws(layer(0.5), torch.ones(2, 200, *[3] * dims), 1)[0]
    share = (outputs == 0).float().flatten(2)
    assert torch.equal(share.amin(-1), share.amax(-1))
    assert torch.equal(outputs[0], outputs[1])
    assert 0.3 < share.mean() < 0.7
    assert set(outputs.unique().tolist()) == {0.0, 2.0}


def test_the_network_and_the_random_streams_are_left_as_they_were() -> None:
    net = MLP((4,), 3, hidden=[8], dropout=0.5, linear=DropConnect, normalization=nn.BatchNorm1d).eval()
    state, random = {name: value.clone() for name, value in net.state_dict().items()}, torch.get_rng_state()
    draws(net, torch.randn(5, 4, generator=torch.Generator().manual_seed(1)), 2)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert not any(layer._forward_hooks or layer.training for layer in net.modules())


def test_what_has_nothing_to_draw() -> None:
    for net in (nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.0)), DropConnect(2, 2, p=0.0)):
        assert not has_dropout(net)
        with pytest.raises(UserError, match=r"has no layer Dropout, .* nothing to draw"):
            require_dropout(net)
    with pytest.raises(UserError, match="no masks for AlphaDropout; use Dropout"):
        require_dropout(nn.Sequential(nn.Dropout(), nn.AlphaDropout()))
    require_dropout(nn.Sequential(nn.Linear(2, 2), nn.Dropout()))
    assert draws(nn.Dropout(1.0), torch.ones(1, 5), 1).eq(0).all()


def test_inputs_must_be_the_first_dimension_where_something_is_dropped() -> None:
    class Transposed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout()

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.drop(inputs.transpose(0, 1)).transpose(0, 1)
            return outputs

    network = MaskedNetwork(Transposed().eval(), 0, 0)
    network(torch.ones(3, 2))
    with pytest.raises(UserError, match=r"a mask of shape \(1, 3\) does not fit \(2, 1\)"):
        network(torch.ones(1, 2))
