import copy
import math
import pickle
from fractions import Fraction

import pytest

from lightning_vi.errors import UserError
from lightning_vi.weighting import Geometric, Uniform, Weighting

WEIGHTINGS = [Uniform(), Geometric()]


@pytest.mark.parametrize("weighting", WEIGHTINGS, ids=repr)
@pytest.mark.parametrize("batches", [1, 2, 10, 391, 100_000])
def test_shares_of_an_epoch_sum_to_one(weighting: Weighting, batches: int) -> None:
    shares = [weighting(batch, batches) for batch in range(batches)]
    assert math.fsum(shares) == pytest.approx(1.0, rel=1e-12)
    assert min(shares) >= 0.0


@pytest.mark.parametrize("batches", [1, 2, 3, 10, 391])
def test_geometric_is_equation_9_in_exact_arithmetic(batches: int) -> None:
    weighting = Geometric()
    for batch in range(batches):
        exact = Fraction(2 ** (batches - (batch + 1)), 2**batches - 1)
        assert weighting(batch, batches) == pytest.approx(float(exact), rel=1e-15)


def test_uniform_is_one_over_the_number_of_minibatches() -> None:
    assert [Uniform()(batch, 4) for batch in range(4)] == [0.25] * 4


@pytest.mark.parametrize("weighting", WEIGHTINGS, ids=repr)
@pytest.mark.parametrize(("batch", "batches"), [(-1, 10), (10, 10), (0, 0), (0, -1)])
def test_index_outside_the_epoch_is_refused(weighting: Weighting, batch: int, batches: int) -> None:
    with pytest.raises(UserError, match=rf"batch \(={batch}\)"):
        weighting(batch, batches)


@pytest.mark.parametrize("weighting", WEIGHTINGS, ids=repr)
def test_copies_and_pickles_mean_the_same(weighting: Weighting) -> None:
    for twin in (copy.deepcopy(weighting), pickle.loads(pickle.dumps(weighting))):
        assert type(twin) is type(weighting)
        assert twin(1, 3) == weighting(1, 3)
