"""Provoke faults, count how often the outcome is not as it must be, write ``results/reliability.csv`` and ``.md``.

Usage: OMP_NUM_THREADS=1 python -m benchmarks.faults [SECTION ...] [--cases NAME ...] [--trials N] [--out FOLDER]

A section is a file of this folder with a function `cases`: what is tried, by name; each is called with the number of a
trial, which is its only source of randomness, and raises `AssertionError` where the outcome is wrong.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.faults.report import Count, update
from benchmarks.pairs import device
from lightning_vi.provenance import commit

SECTIONS = ("kills", "processes", "damage", "damaged_commands", "bad_data")
RESULTS = Path(__file__).parent.parent.parent / "results"


def main() -> int:
    """See the module; 3 if a trial has failed, since 1 is what Python itself exits with."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults")
    parser.add_argument("sections", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--cases", nargs="+", help="only these, by the beginning of their name")
    parser.add_argument("--trials", type=int, default=10, help="of each case")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    failures = 0
    for section in options.sections:
        cases: dict[str, Callable[[int], None]] = import_module(f"benchmarks.faults.{section}").cases()
        for name, case in cases.items():
            if options.cases is None or name.startswith(tuple(options.cases)):
                count = _count(section, name, case, options.trials)
                update(options.out, [count])  # after each, so that a run that is stopped leaves what it has
                failures += count.failures
    return 3 if failures else 0


def _count(section: str, name: str, case: Callable[[int], None], trials: int) -> Count:
    start, failures = time.monotonic(), 0
    for trial in range(trials):
        try:
            case(trial)
        except AssertionError:
            traceback.print_exc()
            failures += 1
    seconds = round(time.monotonic() - start, 1)
    print(f"{section}, {name}: {failures} of {trials} failed, {seconds:.0f} s", flush=True)
    return Count(section, name, trials, failures, seconds, device(), commit())


if __name__ == "__main__":
    sys.exit(main())
