"""Resident memory of training: the peak of `fit` on MNIST, and what 20,000 steps add."""

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

def of_status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith(name))

class Resident(Callback):
    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step in ({FIRST}, {STEPS}):
            with Path("resident").open("a") as file:
                print(of_status("VmRSS"), file=file)

class Peak(Callback):
    def on_test_end(self, trainer, *_):  # the last thing that fit does
        Path("peak").write_text(str(of_status("VmHWM")))
"""


def rows(epochs: int) -> list[Row]:
    """Megabytes instead of milliseconds: of a process of its own each."""
    fit = [sys.executable, "-m", "lightning_vi", "fit", "--config"]
    with tempfile.TemporaryDirectory() as folder:
        run = partial(subprocess.run, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        Path(folder, "memory_callbacks.py").write_text(CALLBACK)
        # As many epochs as it takes to have trained, validated, saved and drawn everything.
        run([*fit, "bbb_mnist.yaml", f"--trainer.max_epochs={epochs}", "--trainer.callbacks+=memory_callbacks.Peak"])
        peak = float(Path(folder, "peak").read_text())
        options = ["--data.batch_size=8", "--trainer.max_epochs=1000", f"--trainer.max_steps={STEPS}"]
        options += ["--model.compile=true", "--trainer.callbacks+=memory_callbacks.Resident"]
        run([*fit, "bbb_digits.yaml", *options])
        first, last = map(float, Path(folder, "resident").read_text().split())
    return [
        Row("peak memory of fit on MNIST, MB, against 2,000", "784-400-400-10", peak, 2_000.0, 1.0),
        Row(f"memory after {STEPS:,} steps, MB, against after {FIRST:,}", "64-100-100-10", last, first, 1.02),
    ]
