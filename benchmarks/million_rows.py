"""Resident memory of `predict` over a file of a million rows, whose inputs and predictions are never all in memory.

Usage: OMP_NUM_THREADS=1 python -m benchmarks.million_rows
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

FEATURES, TRAINING = 10, 5_000
ROWS = (10_000, 1_000_000)


def table(rows: int) -> pa.Table:
    """Random features, and the sign of their sum."""
    x = np.random.default_rng(0).normal(size=(rows, FEATURES))
    label = np.where(x.sum(axis=1) > 0, "yes", "no")
    return pa.table({**{f"x{k}": x[:, k] for k in range(FEATURES)}, "label": label})


def measured(folder: Path, *arguments: str) -> tuple[float, float]:
    """Peak resident memory in megabytes, and seconds, of a command."""
    command = [sys.executable, "-m", "lightning_vi", *arguments]
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 2**10, time.monotonic() - start


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        csv.write_csv(table(TRAINING), folder / "training.csv")
        options = ["--data.path=training.csv", "--data.target=label", "--trainer.max_epochs=1", "--model.draws=10"]
        measured(folder, "fit", "--config=bbb_csv.yaml", *options)
        print("| rows | file | MB | predictions | MB | peak memory, MB | seconds |\n|---|---|---|---|---|---|---|")
        for rows in ROWS:
            csv.write_csv(table(rows), folder / "new.csv")
            parquet.write_table(table(rows), folder / "new.parquet")
            for source, target in (("new.csv", "out.csv"), ("new.parquet", "out.parquet")):
                peak, seconds = measured(
                    folder,
                    "predict",
                    "--config=runs/bbb_csv/version_0/config.yaml",
                    "--ckpt_path=last",
                    f"--data.predict={source}",
                    f"--output={target}",
                )
                sizes = [(folder / each).stat().st_size / 1e6 for each in (source, target)]
                print(
                    f"| {rows:,} | {source} | {sizes[0]:.0f} | {target} | {sizes[1]:.0f} | {peak:.0f} | {seconds:.0f} |"
                )


if __name__ == "__main__":
    main()
