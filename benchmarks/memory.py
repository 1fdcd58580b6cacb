"""Resident memory of training: the peak of `fit` on MNIST, and what 20,000 steps add."""

import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.pairs import Row

STEPS, FIRST = 20_000, 2_000
CALLBACK = f"""
from pathlib import Path
from lightning.pytorch import Callback

class Resident(Callback):
    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step in ({FIRST}, {STEPS}):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            with Path("resident").open("a") as file:
                print(pages * 4096 / 2**20, file=file)
"""


def rows(epochs: int) -> list[Row]:
    """Megabytes instead of milliseconds: of a process of its own each."""
    fit = [sys.executable, "-m", "lightning_vi", "fit", "--config"]
    with tempfile.TemporaryDirectory() as folder:
        run = partial(subprocess.run, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        # As many epochs as it takes to have trained, validated, saved and drawn everything.
        run([*fit, "bbb_mnist.yaml", f"--trainer.max_epochs={epochs}"])
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**10
        Path(folder, "resident_memory.py").write_text(CALLBACK)
        options = ["--data.batch_size=8", "--trainer.max_epochs=1000", f"--trainer.max_steps={STEPS}"]
        run([*fit, "bbb_digits.yaml", *options, "--trainer.callbacks+=resident_memory.Resident"])
        first, last = map(float, Path(folder, "resident").read_text().split())
    return [
        Row("peak memory of fit on MNIST, MB, against 2,000", "784-400-400-10", peak, 2_000.0, 1.0),
        Row(f"memory after {STEPS:,} steps, MB, against after {FIRST:,}", "64-100-100-10", last, first, 1.02),
    ]
