import pytest
from torch import nn

from lightning_vi.evaluating import evaluating


def test_every_part_is_in_its_own_mode_afterwards() -> None:
    module = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    module[1].eval()
    modes = [each.training for each in module.modules()]
    assert set(modes) == {True, False}
    with evaluating(module):
        assert not any(each.training for each in module.modules())
    assert [each.training for each in module.modules()] == modes


def test_after_an_error_too() -> None:
    module = nn.Dropout()

    def fail() -> None:
        with evaluating(module):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert module.training
