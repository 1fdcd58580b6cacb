"""Compare with the No-U-Turn sampler and write ``results/hmc.csv``, ``results/hmc.md`` and the pictures.

Usage, with the extra ``hmc``: OMP_NUM_THREADS=1 python -m benchmarks.hmc [--quick]
"""

import sys
from pathlib import Path

import torch

from benchmarks.hmc import pictures
from benchmarks.hmc.experiment import FULL, QUICK, run
from benchmarks.hmc.page import page
from benchmarks.hmc.problems import line, moons
from benchmarks.hmc.report import ENSEMBLE, MEAN_FIELD, MIXTURE, NUTS, save_csv
from benchmarks.pairs import device
from lightning_vi.provenance import commit

RESULTS = Path(__file__).parent.parent.parent / "results"


def main() -> None:
    """See the module."""
    quick = "--quick" in sys.argv[1:]
    effort = QUICK if quick else FULL
    torch.set_num_threads(1)
    lines = []
    for problem, draw in ((line(), pictures.bands), (moons(), pictures.maps)):
        figures, predictives = run(problem, effort)
        lines += figures
        picture = draw(problem, {name: predictives[name] for name in (NUTS, MEAN_FIELD, ENSEMBLE, MIXTURE)})
        if not quick:
            picture.savefig(RESULTS / f"hmc_{problem.name}.png")
    text = page(lines, device(), commit())
    print(text)
    if not quick:
        RESULTS.joinpath("hmc.md").write_text(text)
        save_csv(lines, device(), commit(), RESULTS / "hmc.csv")


if __name__ == "__main__":
    main()
