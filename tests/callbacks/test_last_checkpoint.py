"""That runs end at the same bits is counted by `benchmarks.faults`, and tried in `tests/test_faults.py`."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_vi.__main__ import main
from lightning_vi.callbacks.last_checkpoint import Interval, LastCheckpoint
from lightning_vi.errors import UserError
from tests.elsewhere import elsewhere as elsewhere

SMALL = [
    "fit",
    "--config=gan_digits.yaml",
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=2",
    "--trainer.callbacks=[LastCheckpoint]",
    "--data.batch_size=128",  # ten steps in an epoch
    "--model.discriminator_steps=3",
    "--test_checkpoint=none",
]


class Terminated(Callback):
    """Sends its own process the signal inside a step, if it has the rank."""

    def __init__(self, step: int, rank: int = 0) -> None:
        self.step, self.rank = step, rank

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if trainer.fit_loop.total_batch_idx == self.step and trainer.global_rank == self.rank:
            os.kill(os.getpid(), signal.SIGTERM)


class Written(Callback):
    """Notes after each minibatch how many of them the file has."""

    noted: list[int]

    def __init__(self) -> None:
        Written.noted = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        path = Path("runs/gan_digits/version_0/checkpoints/last.ckpt")
        Written.noted.append(minibatches(path) if path.is_file() else 0)


def minibatches(path: Path) -> int:
    """How many a checkpoint has trained."""
    loops = torch.load(path, weights_only=True)["loops"]
    number: int = loops["fit_loop"]["epoch_loop.batch_progress"]["total"]["processed"]
    return number


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("100 steps", Interval(100, float("inf"))),
        ("1 step", Interval(1, float("inf"))),
        ("5 minutes", Interval(float("inf"), 300.0)),
        ("0.5 minutes", Interval(float("inf"), 30.0)),
    ],
)
def test_an_interval_is_a_number_of_steps_or_minutes(text: str, interval: Interval) -> None:
    assert Interval.of(text) == interval


@pytest.mark.parametrize("text", ["", "5", "0 steps", "1.5 steps", "-1 minutes", "2 hours"])
def test_another_interval_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"checkpoint_every \(=.*\) must be a positive number of steps or minutes"):
        LastCheckpoint(text)


def test_it_is_written_every_so_many_steps_and_at_the_end_of_an_epoch() -> None:
    """Counted in steps of the discriminator, where Lightning's own would count the generator's."""
    callback = f"--trainer.callbacks+={__name__}.Written"
    assert main([*SMALL, "--checkpoint_every=4 steps", callback]) == 0
    assert Written.noted == [0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 10, 10, 10, 10, 14, 14, 14, 14, 18, 18]


def test_time_counts_too() -> None:
    callback = f"--trainer.callbacks+={__name__}.Written"
    assert main([*SMALL, "--checkpoint_every=0.00001 minutes", callback]) == 0
    assert Written.noted == list(range(20))


def test_a_wrong_interval_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--checkpoint_every=soon"]) == 2
    assert "checkpoint_every (=soon) must be a positive number of steps or minutes" in capsys.readouterr().err


def test_an_interval_without_the_callback_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--trainer.callbacks=[LearningCurves]", "--checkpoint_every=1 step"]) == 2
    assert "checkpoint_every (=1 step) needs the callback LastCheckpoint" in capsys.readouterr().err


@pytest.mark.parametrize("step", [4, 9])  # inside an epoch, in its last step
def test_sigterm_ends_the_run_with_the_step_under_way(step: int, caplog: pytest.LogCaptureFixture) -> None:
    before = signal.getsignal(signal.SIGTERM)
    callback = f"--trainer.callbacks+={{class_path: {__name__}.Terminated, init_args: {{step: {step}}}}}"
    assert main([*SMALL, callback]) == 143
    assert signal.getsignal(signal.SIGTERM) == before
    path = Path("runs/gan_digits/version_0/checkpoints/last.ckpt")
    assert minibatches(path) == step + 1
    assert f"Ended by SIGTERM. {path} has all steps" in caplog.text
    assert main([*SMALL, "--ckpt_path=last"]) == 0
    assert main([*SMALL, "--name=alone"]) == 0
    resumed, alone = (
        torch.load(f"runs/{name}/version_0/checkpoints/last.ckpt", weights_only=True)
        for name in ("gan_digits", "alone")
    )
    for name, value in alone["state_dict"].items():
        assert torch.equal(resumed["state_dict"][name], value), name


def test_sigterm_to_one_process_ends_all() -> None:
    callback = "--trainer.callbacks+={class_path: tests.callbacks.test_last_checkpoint.Terminated, init_args: {%s}}"
    two = ["--trainer.devices=2", "--trainer.strategy=ddp_find_unused_parameters_true", "--data.batch_size=64"]
    command = [sys.executable, "-m", "lightning_vi", *SMALL, *two, callback % "step: 3, rank: 1"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    ended = subprocess.run(command, env=environment, timeout=300, capture_output=True, text=True, check=False)
    assert ended.returncode == 143, ended.stderr
    assert minibatches(Path("runs/gan_digits/version_0/checkpoints/last.ckpt")) == 4
