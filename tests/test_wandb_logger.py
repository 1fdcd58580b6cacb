import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lightning_vi.__main__ import main
from lightning_vi.errors import UserError
from lightning_vi.wandb_logger import WandbLogger, _finish
from tests.printing import printed
from tests.wandb_server import KEY, Server, serving

SETTINGS = {"init_timeout": 1, "finish_timeout": 1, "finish_timeout_raises": True, "silent": True}
LIMIT = 15.0
"""Seconds within which each of them is over, timeouts of one second included."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    import wandb

    wandb.teardown()  # that of another test has its environment
    monkeypatch.chdir(tmp_path)
    with serving() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
        wandb.teardown()


def logger() -> WandbLogger:
    return WandbLogger(project="lightning-vi", save_dir="runs", settings=SETTINGS)


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The notes; each names the folder of a run, which holds its file."""
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Note: ")]
    for note in notes:
        *_, folder = note.split()
        assert list(Path(folder).glob("run-*.wandb"))
    return notes


def upload(note: str) -> None:
    """Run the command that a note tells."""
    name, *arguments = note.rpartition("to upload it: ")[2].split()
    subprocess.run([sys.executable, "-m", name, *arguments], check=True, capture_output=True, timeout=60)


def test_nothing_is_told_of_a_server_that_answers(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    each = logger()
    each.log_metrics({"loss": 1.0}, step=1)
    _finish(each.experiment)
    assert not told(capsys)
    assert any(path.endswith("file_stream") for path in server.asked)
    assert [path.name for path in Path("runs/wandb").glob("run-*")]
    assert not [path for path in Path("runs").rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


@pytest.mark.parametrize("fails", ["hangs", "500", "401"])
def test_a_server_that_fails_at_the_start_makes_an_offline_run(
    server: Server, fails: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.fails = fails  # type: ignore[assignment]
    start = time.monotonic()
    each = logger()
    each.log_metrics({"loss": 1.0}, step=1)
    (note,) = told(capsys)
    assert "cannot be reached" in note
    assert "/offline-run-" in note
    _finish(each.experiment)
    assert time.monotonic() - start < LIMIT
    server.fails = "no"
    upload(note)
    assert any(path.endswith("file_stream") for path in server.asked)


@pytest.mark.parametrize("fails", ["hangs", "500"])
def test_a_server_that_fails_later_leaves_the_run_on_the_disk(
    server: Server, fails: str, capsys: pytest.CaptureFixture[str]
) -> None:
    each = logger()
    each.log_metrics({"loss": 1.0}, step=1)
    server.fails = fails  # type: ignore[assignment]
    each.log_metrics({"loss": 0.5}, step=2)
    start = time.monotonic()
    _finish(each.experiment)
    assert time.monotonic() - start < LIMIT
    (note,) = told(capsys)
    assert "has not taken all of the run" in note
    server.fails = "no"
    server.asked.clear()
    upload(note)
    assert any(path.endswith("file_stream") for path in server.asked)


OPTIONS = {"entity": "me", "group": "a", "job_type": "train", "notes": "of a test", "tags": ["digits", "short"]}


def test_what_a_run_is_filed_under_are_options_that_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    fit = ["fit", "--config=bbb_digits.yaml", "--config=wandb.yaml"]
    options = [f"--trainer.logger.init_args.{name}={value}" for name, value in OPTIONS.items()]
    config = yaml.safe_load(printed(*fit, *options, "--print_config"))
    *_, spec = config["trainer"]["logger"]
    assert spec["class_path"] == "lightning_vi.wandb_logger.WandbLogger"
    assert {name: spec["init_args"][name] for name in OPTIONS} == OPTIONS
    assert main([*fit, "--trainer.logger.init_args.tagz=[a]"]) == 2
    assert "Did you mean 'tags'?" in capsys.readouterr().err
    assert main([*fit, "--trainer.logger.init_args.tags=3"]) == 2


def test_they_reach_the_run_and_leave_the_mode_to_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    wandb.teardown()
    run = WandbLogger(project="lightning-vi", save_dir="runs", settings=SETTINGS, **OPTIONS).experiment  # type: ignore[arg-type]
    assert run.settings.mode == "offline"
    assert (run.entity, run.group, run.job_type, run.notes, run.tags) == tuple(
        tuple(OPTIONS[name]) if name == "tags" else OPTIONS[name]
        for name in ("entity", "group", "job_type", "notes", "tags")
    )
    run.finish()
    wandb.teardown()


def test_without_a_key_the_user_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setenv("NETRC", os.devnull)
    with pytest.raises(UserError, match=r"^W&B: .*Run `wandb login`, or set WANDB_MODE=offline\.$"):
        _ = logger().experiment


OUTLIVING = f"""
import os, signal, time
from pathlib import Path
from lightning_vi.wandb_logger import WandbLogger
logger = WandbLogger(project="lightning-vi", save_dir="runs", settings={SETTINGS!r})
logger.log_metrics({{"loss": 1.0}}, step=1)
children = [int(pid) for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()]
(service,) = (pid for pid in children if "wandb" in Path(f"/proc/{{pid}}/cmdline").read_text())
os.kill(service, signal.SIGKILL)
start = time.monotonic()
while not logger._is_lost and time.monotonic() < start + {LIMIT}:
    logger.log_metrics({{"loss": 0.5}}, step=2)
logger.log_metrics({{"loss": 0.25}}, step=3)
logger.log_hyperparams({{"lr": 0.1}})
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for the children of a process")
def test_training_outlives_the_process_of_wandb(server: Server) -> None:
    # A process of its own, since W&B's client does not recover.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-c", OUTLIVING]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert ended.returncode == 0
    assert len(re.findall("W&B's process is gone.*to upload it: wandb sync", ended.stderr)) == 1
