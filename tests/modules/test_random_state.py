import torch

from lightning_vi.modules.random_state import random_state, restore_random_state


def test_the_next_numbers_are_the_same_again() -> None:
    cpu = torch.device("cpu")
    torch.manual_seed(3)
    torch.rand(5)
    state = random_state(cpu)
    expected = torch.rand(7), torch.randn(7)
    torch.manual_seed(4)
    restore_random_state(state, cpu)
    assert torch.equal(torch.rand(7), expected[0])
    assert torch.equal(torch.randn(7), expected[1])


def test_a_state_can_be_read_without_trust() -> None:
    state = random_state(torch.device("cpu"))
    assert set(state) == {"cpu"}
    assert all(each.dtype == torch.uint8 and each.device.type == "cpu" for each in state.values())


def test_a_state_may_be_part_of_another_tensor() -> None:
    """As that of the second of two processes; PyTorch itself would crash."""
    cpu = torch.device("cpu")
    state = random_state(cpu)["cpu"]
    expected = torch.rand(7)
    restore_random_state({"cpu": torch.stack([torch.zeros_like(state), state])[1]}, cpu)
    assert torch.equal(torch.rand(7), expected)
