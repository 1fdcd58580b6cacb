"""Runs that are killed at a random step and go on with `--ckpt_path last` end at the bits of one that is left alone.

A trial trains a small configuration of scikit-learn's digits by the command line. SIGKILL ends it at a random moment of
a random step; it goes on, is killed again, and goes on to its end.
"""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer

from benchmarks.faults.same import Outcome, require_same
from lightning_vi.__main__ import main

ROOT = Path(__file__).parent.parent.parent
EPOCHS, BATCHES = 3, 20  # 1,257 training examples in batches of 64
KILLS = 2
SMALL: dict[str, Any] = {
    "data": {"class_path": "Digits", "init_args": {"batch_size": 64}},
    "trainer": {
        "accelerator": "cpu",
        "max_epochs": EPOCHS,
        "log_every_n_steps": 3,
        "callbacks": ["LearningCurves", "LastCheckpoint"],
    },
}
NET = {"class_path": "MLP", "init_args": {"hidden": [16]}}
ADAM = {"class_path": "Adam", "init_args": {"lr": 0.01}}
BEST = {"class_path": "ModelCheckpoint", "init_args": {"filename": "best", "monitor": "val/nll"}}
TWO = {"devices": 2, "strategy": "ddp_find_unused_parameters_true"}


def cases() -> dict[str, Callable[[int], None]]:
    """What is killed, by name."""
    return {name: partial(killed, name) for name in SETTINGS}


def killed(name: str, trial: int) -> None:
    """Kill a run twice at random; its outcome must be that of the run that is left alone."""
    chance = random.Random(f"{name} {trial}")
    with tempfile.TemporaryDirectory() as folder:
        step, steps = 0, EPOCHS * BATCHES // _processes(name)
        for start in range(KILLS):
            step = chance.randrange(step, steps * (start + 1) // KILLS)
            killing = {"class_path": f"{__name__}.Kill", "init_args": {"step": step, "delay": chance.uniform(0, 0.03)}}
            code = fit(name, Path(folder), killing)
            # Of several processes one notices the death of the other.
            assert code == -signal.SIGKILL or (_processes(name) > 1 and code == 1), (
                f"ended with {code}:\n{_log(Path(folder))}"
            )
        code = fit(name, Path(folder))
        assert code == 0, f"ended with {code}:\n{_log(Path(folder))}"
        require_same(Outcome.of(Path(folder)), alone(name))


@cache
def alone(name: str) -> Outcome:
    """The outcome of a run that nothing disturbs."""
    with tempfile.TemporaryDirectory() as folder:
        assert fit(name, Path(folder)) == 0, _log(Path(folder))
        return Outcome.of(Path(folder))


class Kill(Callback):
    """Kills its process at a moment after the start of a training step.

    Args:
        step: The minibatch, counted over all epochs and resumptions from 0; or the first one, if it goes on behind it.
        delay: Seconds behind its start.
    """

    def __init__(self, step: int, delay: float) -> None:
        self.step, self.delay = step, delay

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Start the clock."""
        if trainer.fit_loop.total_batch_idx >= self.step:
            threading.Timer(self.delay, os.kill, (os.getpid(), signal.SIGKILL)).start()


def fit(name: str, folder: Path, *callbacks: dict[str, Any]) -> int:
    """Train a case's configuration in a folder, or go on there; the exit code."""
    folder.joinpath("small.yaml").write_text(yaml.safe_dump(SMALL))
    folder.joinpath("case.yaml").write_text(yaml.safe_dump(SETTINGS[name]))
    arguments = ["fit", "--config=small.yaml", "--config=case.yaml", "--name=killed", "--checkpoint_every=7 steps"]
    arguments += [f"--trainer.callbacks+={yaml.safe_dump(each, default_flow_style=True)}" for each in callbacks]
    # Where a kill comes before the first checkpoint, there is nothing to go on with.
    arguments += ["--ckpt_path=last"] if [*folder.glob("runs/killed/*/checkpoints/last.ckpt")] else []
    if _processes(name) > 1:
        return _in_new_process(arguments, folder)
    # From a process that has imported all, which takes longer than the training.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lightning_vi.cli"])
    process = context.Process(target=_run, args=(arguments, folder))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _run(arguments: Sequence[str], folder: Path) -> None:
    os.chdir(folder)
    with Path("log.txt").open("ab") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    sys.exit(main(arguments))


def _in_new_process(arguments: Sequence[str], folder: Path) -> int:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "log.txt").open("ab") as log:
        command = [sys.executable, "-m", "lightning_vi", *arguments]
        return subprocess.run(command, cwd=folder, stdout=log, stderr=log, env=environment, check=False).returncode


def _processes(name: str) -> int:
    devices: int = SETTINGS[name]["trainer"].get("devices", 1)
    return devices


def _log(folder: Path) -> str:
    return (folder / "log.txt").read_text()[-3000:]


def _supervised(class_path: str, **options: Any) -> dict[str, Any]:
    return {
        "class_path": class_path,
        "init_args": {"net": NET, "optimizer": ADAM, "lr_scheduler": "CosineLR"} | options,
    }


DROPOUT = {"class_path": "MLP", "init_args": {"hidden": [16], "dropout": 0.3}}
BBB = _supervised("BayesByBackprop", draws=3, val_draws=2)
VAE = {
    "class_path": "VAE",
    "init_args": {"latent_size": 3, "encoder": NET, "decoder": NET, "draws": 5, "val_draws": 2, "optimizer": ADAM},
}
GAN = {
    "class_path": "GAN",
    "init_args": {
        "generator": {"class_path": "MLP", "init_args": {"hidden": [16], "normalization": "BatchNorm1d"}},
        "discriminator": DROPOUT,
        "noise": {"class_path": "Gaussian", "init_args": {"size": 3}},
        "penalty": {"class_path": "R1", "init_args": {"weight": 0.1, "every": 4}},
        "discriminator_steps": 3,  # of 20 minibatches in an epoch
        "ema": 0.9,
        "generator_optimizer": {"class_path": "SGD", "init_args": {"lr": 0.1, "momentum": 0.5}},
        "discriminator_optimizer": ADAM,
        "generator_lr_scheduler": {
            "class_path": "MomentumRampLR",
            "init_args": {"momentum": 0.7, "ramp": 2},
        },
    },
}
BINARY = {"init_args": {"transform": "StochasticBinarisation"}}
# Validation in the middle of an epoch and at its end, gradients of two minibatches, a schedule that follows a score.
INSIDE = {"val_check_interval": 0.5, "accumulate_grad_batches": 2}
PLATEAU = {"class_path": "ReduceLROnPlateau", "init_args": {"monitor": "val/nll", "patience": 0, "threshold": 0.5}}
STOPPING = {"class_path": "EarlyStopping", "init_args": {"monitor": "val/nll", "patience": 5}}
SETTINGS: dict[str, dict[str, Any]] = {
    "BayesByBackprop": {"model": BBB, "trainer": {"callbacks+": [BEST]}},
    "PointEstimate with dropout": {"model": _supervised("PointEstimate", net=DROPOUT), "trainer": {}},
    "DeepEnsemble": {
        "model": _supervised("DeepEnsemble", net=DROPOUT, members=3, own_orders=True, mean_field="MeanField"),
        "trainer": {},
    },
    "Autoencoder": {
        "model": {"class_path": "Autoencoder", "init_args": {"code_size": 3, "encoder": DROPOUT, "decoder": NET}},
        "trainer": {},
    },
    "VAE": {"model": VAE, "data": BINARY, "trainer": {}},
    "GAN": {"model": GAN, "trainer": {"callbacks+": ["SamplesOverEpochs"]}},
    "BayesByBackprop, validation inside epochs": {
        "model": BBB | {"init_args": BBB["init_args"] | {"lr_scheduler": PLATEAU}},
        "trainer": INSIDE | {"callbacks+": [BEST, STOPPING]},
    },
    "VAE on 2 processes": {"model": VAE, "data": BINARY, "trainer": TWO},
    "GAN on 2 processes": {"model": GAN, "trainer": TWO},
}
