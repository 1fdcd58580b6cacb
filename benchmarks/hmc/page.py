"""The text of ``results/hmc.md``."""

from collections.abc import Sequence
from importlib.metadata import version

from benchmarks.hmc.comparison import DISTANCE, NLL, UNCERTAINTY
from benchmarks.hmc.experiment import Effort
from benchmarks.hmc.report import Line, comparison_table, sampler_table

TITLE = """# Beside the gold standard

Command: `OMP_NUM_THREADS=1 python -m benchmarks.hmc`, with the extra `hmc`. Device: {device}. Commit: {commit}.
Versions: {versions}. Seconds are of one run on a machine that others used too.
"""
LINE = """
## Regression with a gap

"""
MOONS = """
## Two moons

"""


def page(lines: Sequence[Line], effort: Effort, device: str, commit: str) -> str:
    """All of it."""
    versions = ", ".join(f"{package} {version(package)}" for package in ("numpyro", "jax", "torch"))
    of_line, of_moons = ([line for line in lines if line.problem == problem] for problem in ("line", "moons"))
    on_line = {DISTANCE: "RMSE of the mean", UNCERTAINTY: "sd of f(x)", NLL: "test NLL"}
    on_moons = {DISTANCE: "total variation", UNCERTAINTY: "MI", NLL: "test NLL"}
    return "".join(
        [
            TITLE.format(device=device, commit=commit, versions=versions),
            sampler_table(lines),
            LINE,
            comparison_table(of_line, on_line),
            MOONS,
            comparison_table(of_moons, on_moons),
        ]
    )
