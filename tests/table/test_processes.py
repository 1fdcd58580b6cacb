import os
import subprocess
import time
from pathlib import Path

import pytest

from lightning_vi.table.processes import local
from lightning_vi.table.rows import Row
from lightning_vi.table.runs import Run, python


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("workers", "count"), [(None, 3), (2, 2), (9, 3)])
def test_no_more_workers_than_runs(workers: int | None, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    runs = [Run("t", Row("a", {"method": "a"}, ["bbb_digits.yaml"]), seed) for seed in range(3)]
    with local(runs, workers) as engine:
        assert engine.workers == count


def test_a_run_does_not_outlive_the_process_that_has_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [
        *python(),
        "fit",
        "--config=bbb_digits.yaml",
        "--trainer.max_epochs=100000",
        "--name=long",
        "--model.compile=false",
    ]
    with Path("log").open("wb") as log, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log) as one:
        assert one.stdin is not None
        deadline = time.monotonic() + 120
        while b"Epoch 1/" not in Path("log").read_bytes():
            assert one.poll() is None, Path("log").read_text()
            assert time.monotonic() < deadline, Path("log").read_text()
            time.sleep(0.1)
        one.stdin.close()  # as the system does when the parent dies
        assert one.wait(timeout=20) == 1
