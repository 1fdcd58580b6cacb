import math

import pytest

from lightning_vi.table.cells import figure, heading


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.44, "1.44"),
        (1.43996, "1.44"),
        (0.000012345, "0.00001234"),
        (12345.6, "12350"),
        (20.0, "20"),
        (-0.0, "0"),
        (math.nan, "NaN"),
        (None, ""),
    ],
)
def test_figures_have_four_digits_and_no_exponent(value: float | None, text: str) -> None:
    assert figure(value) == text


def test_headings_state_the_unit() -> None:
    assert heading("test/error", "%") == "test error, %"
    assert heading("test/nll") == "test NLL per example, nats"
    assert heading("test/ece") == "test ECE"
    assert heading("test/mine") == "test mine"
