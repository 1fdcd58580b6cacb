import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import yaml

from lightning_vi.table import processes
from lightning_vi.table.jobs import Engine
from lightning_vi.table.processes import Process
from lightning_vi.table.rows import Row
from lightning_vi.table.runs import Run
from lightning_vi.table.workers import State, work

# In place of a training: it leaves results, or fails.
FAKE = """
import json, os, pathlib, signal, sys, time
name = next(each for each in sys.argv if each.startswith("--name=")).removeprefix("--name=")
folder = pathlib.Path("runs") / name / "version_0"
print("Epoch 1/2: error", flush=True)
time.sleep(0.6)
if "fails" in name:
    print("the reason")
    sys.exit(3)
if "once" in name and not any("--ckpt_path=last" in each for each in sys.argv):
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "last.ckpt").touch()
    print("Epoch 1/2: error", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
if "mistaken" in name or "pairless-seeds" in name:
    print("the mistake")
    sys.exit(2)
if "silent" not in name:
    folder.mkdir(parents=True, exist_ok=True)
    threads = int(os.environ["OMP_NUM_THREADS"])
    content = {"scores": {"m": 1.0}, "curves": {}, "epochs": 2, "weights": threads}
    content |= {"seconds": 6, "device": "d", "commit": "c"}
    (folder / "results.json").write_text(json.dumps(content))
print("Epoch 2/2: error", flush=True)
"""


@pytest.fixture(autouse=True)
def faked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(processes, "python", lambda: [sys.executable, "-c", FAKE])


def runs(*names: str) -> list[Run]:
    return [
        Run("t", Row(name, {"method": name}, ["bbb_digits.yaml"], {"trainer.max_epochs": 2}, (0,)), 0) for name in names
    ]


def engine(workers: int, threads: int = 1) -> Engine:
    return Engine(workers, partial(Process, threads=threads))


def test_all_run_a_few_at_a_time_and_failures_are_kept(tmp_path: Path) -> None:
    seen: list[int] = []
    epochs: set[int] = set()

    def watch(state: State) -> None:
        seen.append(len(state.working))
        epochs.update(job.epochs() for job in state.working)

    state = work(runs("a", "fails", "b", "silent"), tmp_path / "results", ["m"], engine(2, threads=3), 0, watch)
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
    again = work(runs("a", "fails", "b"), tmp_path / "results", ["m"], engine(2, threads=3), 0, lambda state: None)
    assert len(again.done) == 2
    assert len(again.failed) == 1
    assert runs("a")[0].log.read_text().count("+ lightning-vi fit") == 1
    assert runs("fails")[0].log.read_text().count("+ lightning-vi fit") == 2


def test_a_run_that_ended_unseen_is_stored_and_not_run_again(tmp_path: Path) -> None:
    (one,) = runs("a")
    work([one], tmp_path / "first", ["m"], engine(1), 0, lambda state: None)
    state = work([one], tmp_path / "second", ["m"], engine(1), 0, lambda state: None)
    assert [each.row for each in state.done] == ["a"]
    assert len(one.results(tmp_path / "second")) == 1
    assert one.log.read_text().count("+ lightning-vi fit") == 1


def test_a_run_without_the_scores_that_are_asked_for_has_failed(tmp_path: Path) -> None:
    for _ in range(2):  # the second time from what is stored
        state = work(runs("a"), tmp_path, ["m", "x"], engine(1), 1, lambda state: None)
        assert not state.done
        assert [reason for _, reason in state.failed] == ["it has no score x, but m"]


def test_a_configuration_edited_while_a_run_waits_does_not_change_it(tmp_path: Path) -> None:
    Path("mine.yaml").write_text("trainer: {max_epochs: 2}\nmodel: {x: 1}\n")
    one = Run("t", Row("a", {"method": "a"}, ["mine.yaml"], {}, (0,)), 0)
    before = one.config
    Path("mine.yaml").write_text("trainer: {max_epochs: 2}\nmodel: {x: 2}\n")
    state = work([one], tmp_path, ["m"], engine(1), 0, lambda state: None)
    (result,) = state.done
    assert (result.config, result.settings["model.x"]) == (before, 1)
    (copy,) = one.folder.glob("config_*.yaml")
    assert yaml.safe_load(copy.read_text())["model"] == {"x": 1}
    assert f"--config={copy.as_posix()} " in one.log.read_text()


def test_seeds_that_cannot_be_trained_together_are_trained_one_by_one(tmp_path: Path) -> None:
    (one,) = runs("pairless")
    pair = replace(one, members=2)
    state = work([pair, *runs("b")], tmp_path, ["m"], engine(1), 0, lambda state: None)
    assert sorted((each.row, each.seed, each.together) for each in state.done) == [
        ("b", 0, 1),
        ("pairless", 0, 1),
        ("pairless", 1, 1),
    ]
    assert state.split == [(pair, "the mistake")]
    assert not state.failed
    assert not state.retried


def test_a_run_that_fails_is_repeated_from_its_checkpoint_and_kept_in_mind(tmp_path: Path) -> None:
    state = work(runs("once", "fails", "mistaken"), tmp_path, ["m"], engine(3), 2, lambda state: None)
    assert [each.row for each in state.done] == ["once"]
    told = sorted((run.row.name, reason) for run, reason in state.retried)
    assert told == [
        ("fails", "the reason"),
        ("fails", "the reason"),
        ("once", "ended by SIGKILL; last: Epoch 1/2: error"),
    ]
    assert {run.row.name for run, _ in state.failed} == {"fails", "mistaken"}
    starts = {
        run.row.name: run.log.read_text().count("+ lightning-vi fit") for run in runs("once", "fails", "mistaken")
    }
    assert starts == {"once": 2, "fails": 3, "mistaken": 1}  # nothing mends a mistake
    assert "--ckpt_path=last" in runs("once")[0].log.read_text()


def test_an_interruption_ends_the_runs(tmp_path: Path) -> None:
    jobs: list[Process] = []

    def watch(state: State) -> None:
        jobs.extend(job for job in state.working if isinstance(job, Process))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(runs("a", "b"), tmp_path, ["m"], engine(2), 1, watch)
    assert len(jobs) == 2
    assert all(job.poll() is not None for job in jobs)
