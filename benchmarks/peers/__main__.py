"""Measure the peers and write ``results/peers.csv`` and ``results/peers.md``.

Usage, in the environment of ``benchmarks/peers.txt``: OMP_NUM_THREADS=1 python -m benchmarks.peers [--quick]
"""

import sys
import warnings
from pathlib import Path

import torch

from benchmarks.pairs import device
from benchmarks.peers import epochs, shares, steps
from benchmarks.peers.failures import Failure
from benchmarks.peers.report import csv_lines, markdown
from lightning_vi.allocator import keep_freed_memory
from lightning_vi.provenance import commit

RESULTS = Path(__file__).parent.parent.parent / "results"


def main() -> None:
    """See the module."""
    quick = "--quick" in sys.argv[1:]
    warnings.filterwarnings("ignore")  # the peers' and the Trainer's; what fails is reported as an error
    torch.set_num_threads(1)
    keep_freed_memory()
    failures: list[Failure] = []
    measured = steps.rows(3 if quick else 30, failures)
    complexity = shares.rows(failures)
    trained = epochs.rows(1 if quick else 3, failures)
    text = markdown(measured, trained, complexity, failures, device(), commit())
    print(text)
    if not quick:
        RESULTS.joinpath("peers.md").write_text(text)
        lines = csv_lines(measured + trained, complexity, device(), commit())
        RESULTS.joinpath("peers.csv").write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main()
