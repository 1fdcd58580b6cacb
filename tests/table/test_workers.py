import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from lightning_vi.table import workers
from lightning_vi.table.rows import Row
from lightning_vi.table.runs import Run, python
from lightning_vi.table.workers import State, work

# In place of a training: it leaves results, or fails.
FAKE = """
import json, os, pathlib, sys, time
name = next(each for each in sys.argv if each.startswith("--name=")).removeprefix("--name=")
folder = pathlib.Path("runs") / name / "version_0"
print("Epoch 1/2: error", flush=True)
time.sleep(0.6)
if "fails" in name:
    print("the reason")
    sys.exit(3)
if "silent" not in name:
    folder.mkdir(parents=True)
    threads = int(os.environ["OMP_NUM_THREADS"])
    content = {"scores": {"m": 1.0}, "curves": {}, "epochs": 2, "weights": threads}
    content |= {"seconds": 6, "device": "d", "commit": "c"}
    (folder / "results.json").write_text(json.dumps(content))
print("Epoch 2/2: error", flush=True)
"""


@pytest.fixture(autouse=True)
def faked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workers, "python", lambda: [sys.executable, "-c", FAKE])


def runs(*names: str) -> list[Run]:
    return [
        Run("t", Row(name, {"method": name}, ["bbb_digits.yaml"], {"trainer.max_epochs": 2}, (0,)), 0) for name in names
    ]


def test_all_run_a_few_at_a_time_and_failures_are_kept(tmp_path: Path) -> None:
    seen: list[int] = []
    epochs: set[int] = set()

    def watch(state: State) -> None:
        seen.append(len(state.working))
        epochs.update(job.epochs() for job in state.working)

    state = work(runs("a", "fails", "b", "silent"), tmp_path / "results", ["m"], 2, 3, watch)
    assert max(seen) == 2
    assert 1 in epochs
    assert sorted(each.row for each in state.done) == ["a", "b"]
    assert {each.weights for each in state.done} == {3}  # threads
    told = {run.row.name: reason for run, reason in state.failed}
    assert told["fails"] == "the reason"
    assert "has left no results.json" in told["silent"]
    assert not state.waiting
    assert not state.working
    # Those that have not failed are not run again; the others are.
    again = work(runs("a", "fails", "b"), tmp_path / "results", ["m"], 2, 3, lambda state: None)
    assert len(again.done) == 2
    assert len(again.failed) == 1
    assert runs("a")[0].log.read_text().count("+ lightning-vi fit") == 1
    assert runs("fails")[0].log.read_text().count("+ lightning-vi fit") == 2


def test_a_run_that_ended_unseen_is_stored_and_not_run_again(tmp_path: Path) -> None:
    (one,) = runs("a")
    work([one], tmp_path / "first", ["m"], 1, 1, lambda state: None)
    state = work([one], tmp_path / "second", ["m"], 1, 1, lambda state: None)
    assert [each.row for each in state.done] == ["a"]
    assert one.result(tmp_path / "second") is not None
    assert one.log.read_text().count("+ lightning-vi fit") == 1


def test_a_run_without_the_scores_that_are_asked_for_has_failed(tmp_path: Path) -> None:
    for _ in range(2):  # the second time from what is stored
        state = work(runs("a"), tmp_path, ["m", "x"], 1, 1, lambda state: None)
        assert not state.done
        assert [reason for _, reason in state.failed] == ["it has no score x, but m"]


def test_a_configuration_edited_while_a_run_waits_does_not_change_it(tmp_path: Path) -> None:
    Path("mine.yaml").write_text("trainer: {max_epochs: 2}\nmodel: {x: 1}\n")
    one = Run("t", Row("a", {"method": "a"}, ["mine.yaml"], {}, (0,)), 0)
    before = one.config
    Path("mine.yaml").write_text("trainer: {max_epochs: 2}\nmodel: {x: 2}\n")
    state = work([one], tmp_path, ["m"], 1, 1, lambda state: None)
    (result,) = state.done
    assert (result.config, result.settings["model.x"]) == (before, 1)
    (copy,) = one.folder.glob("config_*.yaml")
    assert yaml.safe_load(copy.read_text())["model"] == {"x": 1}
    assert f"--config={copy.as_posix()} " in one.log.read_text()


def test_an_interruption_ends_the_runs(tmp_path: Path) -> None:
    processes: list[subprocess.Popen[bytes]] = []

    def watch(state: State) -> None:
        processes.extend(job.process for job in state.working)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(runs("a", "b"), tmp_path, ["m"], 2, 1, watch)
    assert len(processes) == 2
    assert all(process.poll() is not None for process in processes)


def test_a_run_does_not_outlive_the_process_that_has_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [*python(), "fit", "--config=bbb_digits.yaml", "--trainer.max_epochs=100000", "--name=long"]
    with Path("log").open("wb") as log, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log) as one:
        assert one.stdin is not None
        deadline = time.monotonic() + 120
        while b"Epoch 1/" not in Path("log").read_bytes():
            assert one.poll() is None, Path("log").read_text()
            assert time.monotonic() < deadline, Path("log").read_text()
            time.sleep(0.1)
        one.stdin.close()  # as the system does when the parent dies
        assert one.wait(timeout=20) == 1
