from pathlib import Path

import pytest
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger

from lightning_vi.errors import UserError
from lightning_vi.leftovers import taken_back


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def trainer(version: int | None = None, save_dir: str = "runs") -> Trainer:
    return Trainer(accelerator="cpu", logger=CSVLogger(save_dir, name="a/b", version=version), max_epochs=1)


def fail(made: Trainer, error: type[Exception], *files: str) -> None:
    def begin() -> None:
        folder = Path(made.loggers[0].save_dir or "", "a", "b", f"version_{made.loggers[0].version}")
        for file in ("config.yaml", *files):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).touch()
        (folder / "checkpoints").mkdir(exist_ok=True)
        raise error

    with pytest.raises(error), taken_back(made):
        begin()


@pytest.mark.parametrize("error", [UserError, MisconfigurationException])
def test_all_is_taken_back(error: type[Exception]) -> None:
    fail(trainer(), error, "hparams.yaml")
    assert list(Path().iterdir()) == []


def test_folders_that_were_there_stay() -> None:
    Path("mine").mkdir()
    fail(trainer(save_dir="mine"), UserError)
    assert [str(path) for path in Path().rglob("*")] == ["mine"]
    Path("runs/a/b/version_3").mkdir(parents=True)
    fail(trainer(), UserError)
    assert sorted(path.name for path in Path("runs").rglob("*")) == ["a", "b", "version_3"]
    fail(trainer(version=3), UserError)  # not its own
    assert Path("runs/a/b/version_3/config.yaml").is_file()


@pytest.mark.parametrize("file", ["metrics.csv", "checkpoints/last.ckpt", "checkpoints/config.yaml"])
def test_a_folder_with_more_stays(file: str) -> None:
    fail(trainer(), UserError, file)
    assert Path("runs/a/b/version_0", file).is_file()
    assert Path("runs/a/b/version_0/config.yaml").is_file()


def test_bugs_and_trained_runs_leave_what_they_have() -> None:
    fail(trainer(), KeyError)
    trained = trainer()
    trained.fit_loop.epoch_loop.manual_optimization.optim_step_progress.total.completed = 1
    trained.fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total.completed = 1
    assert trained.global_step > 0
    fail(trained, UserError)
    assert [path.name for path in sorted(Path("runs/a/b").iterdir())] == ["version_0", "version_1"]


def test_without_a_logger_nothing_is_touched(tmp_path: Path) -> None:
    Path("config.yaml").touch()
    without = Trainer(accelerator="cpu", logger=False, max_epochs=1)
    with pytest.raises(UserError), taken_back(without):
        raise UserError
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
