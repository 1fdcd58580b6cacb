"""Every module through the real command line on the digits, in every precision: finite numbers from end to end."""

import csv
import math
import os
import tempfile
from contextlib import chdir
from pathlib import Path

from benchmarks.gpu.plan import Plan
from benchmarks.gpu.report import NEEDS_CUDA, Check, Report
from lightning_vi.__main__ import main

MODULES = {
    "BayesByBackprop": ["bbb_digits.yaml", "--model.draws=5"],
    "PointEstimate": ["mlp_mnist.yaml", "--data=Digits"],
    "DeepEnsemble": ["table1/dropconnect_ensemble_800.yaml", "--data=Digits", "--trainer.check_val_every_n_epoch=1"],
    "Autoencoder": ["ae_digits.yaml", "--trainer.check_val_every_n_epoch=1"],
    "VAE": ["vae_digits.yaml", "--trainer.check_val_every_n_epoch=1", "--model.draws=20"],
    "GAN": ["gan_digits.yaml", "--trainer.callbacks.init_args.count=100"],
}
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
# A quick run has one precision, and leaves out the pictures and the checkpoints, which take the longest.
QUICK = ["--trainer.callbacks=[]", "--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1"]


def run(plan: Plan, report: Report) -> None:
    """Train, then test."""
    for precision in PRECISIONS[1:] if plan.quick else PRECISIONS:
        for name, (config, *options) in MODULES.items():
            what = f"{name}: fit and test, {precision}"
            if precision == "16-mixed" and not plan.cuda:
                report.outcome(what, NEEDS_CUDA)
                continue
            with report.check(what) as check, tempfile.TemporaryDirectory() as folder, chdir(folder):
                for variable in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # of the run before
                    os.environ.pop(variable, None)
                arguments = ["fit", f"--config={config}", f"--trainer.accelerator={plan.device.type}"]
                arguments += ["--trainer.devices=1", f"--trainer.precision={precision}"]
                arguments += [f"--trainer.max_epochs={1 if plan.quick else 2}", *options]
                if plan.quick:
                    arguments = [each for each in arguments if "callbacks.init_args" not in each] + QUICK
                code = main(arguments)
                check.require(code == 0, f"exit code {code}")
                finite(check, Path(folder))


def finite(check: Check, folder: Path) -> None:
    """Require that all that was logged is finite."""
    (file,) = folder.glob("runs/**/metrics.csv")
    with file.open() as lines:
        values = [float(each) for line in csv.DictReader(lines) for each in line.values() if each]
    broken = sum(not math.isfinite(each) for each in values)
    check.require(bool(values) and broken == 0, f"{broken} of {len(values)} logged numbers not finite")
