import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lightning_vi.table import progress
from lightning_vi.table.jobs import Job
from lightning_vi.table.progress import Watch
from lightning_vi.table.rows import Row
from lightning_vi.table.runs import Run
from lightning_vi.table.stored import Result
from lightning_vi.table.workers import State


def run(name: str, epochs: int = 10) -> Run:
    return Run("t", Row(name, {"method": name}, ["bbb_digits.yaml"], {"trainer.max_epochs": epochs}, (0,)), 0)


def result(row: str, minutes: float) -> Result:
    return Result(row, 0, "h", {}, {}, {}, 10, 1, minutes, "cpu", "c")


def job(name: str, epochs: int, start: float) -> Job:
    working: Any = SimpleNamespace(run=run(name), start=start, first_epoch=0, epochs=lambda: epochs)
    return cast("Job", working)


def test_a_line_tells_what_is_done_what_runs_and_how_long_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [run("a"), run("b"), run("c")]
    watch = Watch(runs, workers=1)
    # a: 30 min for 10 epochs, known; b: at epoch 5 of 10 after 10 min, 2 min each; c: unknown, so the mean, 2.5 min.
    state = State(deque([run("c")]), [job("b", 5, time.monotonic() - 600)], [result("a", 30.0)])
    watch(state)
    assert capsys.readouterr().out == "1 of 3 runs; b seed 0 at epoch 5/10; about 35 min left\n"
    watch(state)  # at once: no line
    assert capsys.readouterr().out == ""
    state = State(deque(), [], [result(name, 1.0) for name in "ab"], [(run("c"), "why")], [(run("b"), "killed")])
    watch(state)
    captured = capsys.readouterr()
    assert captured.out == "3 of 3 runs, 1 failed\n"
    assert captured.err == "b seed 0 is retried: killed\nc seed 0 failed: why\n"


def test_seeds_of_one_run_count_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    pair = replace(run("a"), members=2)
    working: Any = SimpleNamespace(run=pair, start=time.monotonic() - 600, first_epoch=0, epochs=lambda: 5)
    watch = Watch([pair, replace(run("b"), members=3)], workers=1)
    # 10 epochs of single seeds in 10 min: 1 min each; 2 * 5 + 3 * 10 are left.
    watch(State(deque([replace(run("b"), members=3)]), [cast("Job", working)]))
    assert capsys.readouterr().out == "0 of 5 runs; a seeds 0 to 1 at epoch 5/10; about 40 min left\n"
    done = [result("a", 1.0), result("a", 1.0)]
    watch(State(deque(), [], done, [(replace(run("b"), members=3), "why")], [], [(pair, "that")]))
    captured = capsys.readouterr()
    assert captured.out == "5 of 5 runs, 3 failed\n"
    assert captured.err == "b seeds 0 to 2 failed: why\na seeds 0 to 1: one by one, since that\n"


def test_time_left_is_unknown_at_first(capsys: pytest.CaptureFixture[str]) -> None:
    Watch([run("a")], 1)(State(deque([run("a")])))
    assert "time left not known yet" in capsys.readouterr().out


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from rich.console import Console

    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(progress, "Console", lambda: Console(file=file, force_terminal=True, width=100))
        with Watch([run("a"), run("b")], 1) as watch:
            watch(State(deque([run("b")]), [], [result("a", 1.0)]))
            watch(State(deque(), [], [result("a", 1.0)], [(run("b"), "why")]))
    text = (tmp_path / "out").read_text()
    assert "2 of 2 runs, 1 failed" in text
    assert "b seed 0 failed: why" in text
    assert "100%" in text
