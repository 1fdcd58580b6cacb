"""The tables of ``results/hmc.md`` and the lines of ``results/hmc.csv``."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import mean, stdev

from benchmarks.hmc.comparison import DISTANCE, NLL, UNCERTAINTY
from lightning_vi.text_table import Column, markdown

NUTS, HALF, MEAN_FIELD = "NUTS", "NUTS, half of the chains", "Bayes by Backprop"
ENSEMBLE, MIXTURE = "ensemble of point estimates", "ensemble of mean fields"
SECONDS = "seconds"


@dataclass(frozen=True)
class Line:
    """One number of one run; the fields are the columns of the CSV file. The region is empty where there is none."""

    problem: str
    method: str
    seed: int
    measure: str
    region: str
    value: float


def save_csv(lines: Sequence[Line], device: str, commit: str, path: Path) -> None:
    """Write all numbers."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*(field.name for field in fields(Line)), "device", "commit"])
        writer.writeheader()
        for line in lines:
            writer.writerow(asdict(line) | {"value": f"{line.value:.4g}", "device": device, "commit": commit})


def sampler_table(lines: Sequence[Line]) -> str:
    """What the chains say of themselves: a row for each problem."""
    of_sampler = {(line.problem, line.measure): line.value for line in lines if line.method == NUTS}
    problems = list(dict.fromkeys(line.problem for line in lines))
    columns = [Column("problem", problems, is_number=False)]
    for measure, heading, spec in (
        ("divergences", "divergences", ".0f"),
        ("acceptance", "acceptance", ".2f"),
        ("steps", "gradients per draw", ".0f"),
        ("r_hat", "largest R-hat", ".3f"),
        ("effective", "fewest effective draws", ".0f"),
        (SECONDS, SECONDS, ".0f"),
    ):
        columns.append(Column(heading, [f"{of_sampler[problem, measure]:{spec}}" for problem in problems]))
    return markdown(columns)


def comparison_table(lines: Sequence[Line], headings: dict[str, str]) -> str:
    """For each method the mean over seeds of each measure, and the standard deviation where there are several seeds.

    Args:
        lines: Of one problem.
        headings: A heading for each measure of the comparison.
    """
    methods = list(dict.fromkeys(line.method for line in lines))
    regions = list(dict.fromkeys(line.region for line in lines if line.region))
    columns = [Column("method", methods, is_number=False)]
    for measure in (DISTANCE, UNCERTAINTY, NLL):
        for region in regions:
            cells = [_cell(lines, method, measure, region) for method in methods]
            columns.append(Column(f"{headings[measure]}, {region}", cells))
    seconds = [mean(_values(lines, method, SECONDS, "")) for method in methods]
    return markdown([*columns, Column(SECONDS, [f"{value:.0f}" for value in seconds])])


def _cell(lines: Sequence[Line], method: str, measure: str, region: str) -> str:
    values = _values(lines, method, measure, region)
    if measure == UNCERTAINTY and method != NUTS:
        (of_sampler,) = _values(lines, NUTS, measure, region)
        values = [value / of_sampler for value in values]
    cell = f"{mean(values):#.3g}" + (f" ± {stdev(values):.2g}" if len(values) > 1 else "")
    return f"× {cell}" if measure == UNCERTAINTY and method != NUTS else cell


def _values(lines: Sequence[Line], method: str, measure: str, region: str) -> list[float]:
    wanted = method, measure, region
    return [line.value for line in lines if (line.method, line.measure, line.region) == wanted]
