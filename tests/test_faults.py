"""A few of the trials that `benchmarks.faults` counts, and how it counts them."""

import csv
from pathlib import Path

import pytest

from benchmarks.faults import kills
from benchmarks.faults.report import Count, update
from benchmarks.faults.same import Outcome, require_same


@pytest.mark.parametrize("name", ["GAN", "BayesByBackprop, validation inside epochs"])
def test_a_run_killed_twice_ends_at_the_bits_of_one_left_alone(name: str) -> None:
    kills.killed(name, 0)


def test_a_difference_is_named() -> None:
    one, other = (Outcome({"state_dict": {"weight": value}}, b"") for value in (1.0, 2.0))
    require_same(one, one)
    with pytest.raises(AssertionError, match=r"last\.ckpt: state_dict: weight: 1\.0 and 2\.0"):
        require_same(one, other)
    with pytest.raises(AssertionError, match=r"metrics\.csv"):
        require_same(one, Outcome(one.checkpoint, b"step"))


def test_a_case_that_is_tried_again_replaces_its_line(tmp_path: Path) -> None:
    for section, case, failures in (("b", "x", 0), ("a", "x", 1), ("b", "y", 2), ("b", "x", 3)):
        update(tmp_path, [Count(section, case, 10, failures, 1.0, "CPU", "abc")])
    with (tmp_path / "reliability.csv").open(newline="") as file:
        lines = [(line["section"], line["case"], line["failures"]) for line in csv.DictReader(file)]
    assert lines == [("a", "x", "1"), ("b", "x", "3"), ("b", "y", "2")]
    assert "| b | y | 10 | 2 | 1.0 | CPU | abc |" in (tmp_path / "reliability.md").read_text()
