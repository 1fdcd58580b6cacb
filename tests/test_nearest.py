import pytest

from lightning_vi.nearest import did_you_mean, nearest


@pytest.mark.parametrize(("name", "expected"), [("Mnist", "MNIST"), ("KMNST", "KMNIST"), ("xyz", None)])
def test_nearest_in_any_case(name: str, expected: str | None) -> None:
    assert nearest(name, ["MNIST", "KMNIST", "Digits"]) == expected


def test_says_nothing_if_none_is_near() -> None:
    assert did_you_mean("fitt", ["fit", "test"]) == " Did you mean 'fit'?"
    assert did_you_mean("xyz", ["fit", "test"]) == ""
