import torch
from torch import nn

from lightning_vi.modules import GAN
from lightning_vi.modules.inputs import evaluation_noise, inputs_of, loss_of_none
from lightning_vi.networks import MLP


def test_inputs_come_with_or_without_targets() -> None:
    x, y = torch.rand(3, 2), torch.arange(3)
    for batch in (x, [x], (x, y), [x, y]):
        assert inputs_of(batch) is x


def test_evaluation_noise_is_that_of_the_batch_and_leaves_the_global_stream_alone() -> None:
    module = GAN((2,), MLP, MLP)
    state = torch.get_rng_state()
    first, again, second = (torch.rand(4, generator=evaluation_noise(module, number)) for number in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_loss_of_none_is_zero_and_reaches_every_parameter() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    loss = loss_of_none(net)
    loss.backward()
    assert loss.item() == 0.0
    assert loss.shape == ()
    for each in net.parameters():
        assert each.grad is not None
        assert not each.grad.any()
