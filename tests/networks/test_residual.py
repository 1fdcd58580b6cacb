import copy
import functools
import pickle

import pytest
import torch

from lightning_vi.errors import UserError
from lightning_vi.networks import MLP, Residual

HIDDEN = functools.partial(MLP, hidden=[300, 300])


def test_it_is_a_weighted_identity_and_a_network() -> None:
    net, x = Residual((5,), 5, HIDDEN), torch.randn(4, 5)
    with torch.no_grad():
        net.weight.copy_(torch.arange(5.0))
    torch.testing.assert_close(net(x), torch.arange(5.0) * x + net.net(x))


def test_it_starts_as_the_identity_with_a_disturbance_of_a_tenth() -> None:
    """Hidden units of the He-normal start keep the inputs' second moment, 1."""
    net, x = Residual((100,), 100, HIDDEN), torch.randn(500, 100)
    assert net.weight.eq(1.0).all()
    weights = net.get_parameter("net.output.weight").double()
    assert abs(weights.square().mean().item() * 300 / 0.01 - 1) < 5 * (2 / weights.numel()) ** 0.5
    assert (net(x) - x).square().mean().item() == pytest.approx(0.01, rel=0.2)


def test_every_parameter_receives_a_gradient_and_copies_compute_the_same() -> None:
    net, x = Residual((5,), 5, functools.partial(MLP, hidden=[8])), torch.randn(64, 5)
    net(x).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), Residual((5,), 5, MLP((5,), 5, [8]))):
        twin.load_state_dict(net.state_dict())
        assert torch.equal(twin(x), net(x))
        assert repr(twin) == repr(net)


@pytest.mark.parametrize(("shape", "size"), [((5,), 4), ((1, 5), 5), ((), 1)])
def test_inputs_and_outputs_of_unequal_sizes_are_refused(shape: tuple[int, ...], size: int) -> None:
    with pytest.raises(UserError, match=rf"Residual: output_size \(={size}\) must be the size of the inputs \("):
        Residual(shape, size, HIDDEN)
