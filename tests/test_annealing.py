import math

import pytest

from lightning_vi.annealing import Annealing, Constant, Cyclical, Linear
from lightning_vi.errors import UserError


@pytest.mark.parametrize(
    ("annealing", "values"),
    [
        (Constant(0.5), {0.0: 0.5, 7.3: 0.5}),
        (Linear(epochs=4.0), {0.0: 0.0, 1.0: 0.25, 3.5: 0.875, 4.0: 1.0, 9.0: 1.0}),
        (Linear(epochs=2.0, start=1.0, end=4.0), {0.0: 1.0, 1.0: 2.5, 2.0: 4.0}),
        (Cyclical(epochs=4.0), {0.0: 0.0, 1.0: 0.5, 2.0: 1.0, 3.9: 1.0, 4.0: 0.0, 5.0: 0.5}),
        (Cyclical(epochs=2.0, rise=1.0, beta=3.0), {1.0: 1.5, 2.0: 0.0, 3.5: 2.25}),
    ],
    ids=repr,
)
def test_beta_over_the_epochs(annealing: Annealing, values: dict[float, float]) -> None:
    assert {epochs: annealing(epochs) for epochs in values} == pytest.approx(values)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(-1.0), r"Constant: beta \(=-1.0\) must be finite"),
        (lambda: Constant(math.nan), "Constant: beta"),
        (lambda: Linear(epochs=0.0), r"Linear: epochs \(=0.0\) must be positive"),
        (lambda: Linear(epochs=1.0, end=math.inf), "Linear: end"),
        (lambda: Cyclical(epochs=-1.0), "Cyclical: epochs"),
        (lambda: Cyclical(epochs=1.0, rise=0.0), r"Cyclical: rise \(=0.0\) must lie in \(0, 1\]"),
        (lambda: Cyclical(epochs=1.0, beta=-1.0), "Cyclical: beta"),
    ],
)
def test_wrong_numbers_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(UserError, match=message):
        make()
