import pytest

from lightning_vi.errors import UserError, require_at_least


def test_the_first_number_that_is_too_small_is_named() -> None:
    require_at_least("Owner", 0, first=0, second=3)
    with pytest.raises(UserError, match=r"^Owner: second \(=1\) must be at least 2\.$"):
        require_at_least("Owner", 2, first=2, second=1, third=0)


def test_it_is_a_value_error() -> None:
    assert issubclass(UserError, ValueError)
