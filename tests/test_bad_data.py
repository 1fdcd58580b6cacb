"""The readers of our own, on a few hundred mutated files: `benchmarks/faults/bad_data.py` has what each must do."""

import pytest

from benchmarks.faults.bad_data import cases

TRIALS = 60


@pytest.mark.parametrize("name", cases())
def test_a_mutated_file_is_refused_in_a_line_or_two_or_read_as_it_stands(name: str) -> None:
    case = cases()[name]
    for trial in range(TRIALS):
        case(trial)
