import os
import shutil
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from lightning_vi import run_folders
from lightning_vi.errors import UserError
from tests.bare_trainer import trainer


def run(folder: Path, version: int | None = None) -> Trainer:
    return trainer(logger=CSVLogger(folder, "name", version))


def folder_of(each: Trainer) -> Path:
    (logger,) = each.loggers
    assert isinstance(logger, CSVLogger)
    return Path(logger.log_dir)


def test_two_runs_that_start_at_once_have_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = run(tmp_path), run(tmp_path)
    # The second has looked before the first made its folder.
    monkeypatch.setattr(second.loggers[0], "_get_next_version", iter([0, 1]).__next__)
    with run_folders.entered(first), run_folders.entered(second):
        assert folder_of(first) == tmp_path / "name" / "version_0"
        assert folder_of(second) == tmp_path / "name" / "version_1"


def test_a_version_that_holds_a_run_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "name" / "version_3" / "metrics.csv"
    file.parent.mkdir(parents=True)
    file.touch()
    with (
        pytest.raises(UserError, match=r"trainer\.logger\.version \(=3\): .*version_3 holds a run already"),
        run_folders.entered(run(tmp_path, 3)),
    ):
        raise AssertionError
    assert file.exists()
    with run_folders.entered(run(tmp_path, 4)):
        assert (tmp_path / "name" / "version_4").is_dir()


def fail(each: Trainer, *files: str) -> None:
    with run_folders.entered(each):
        for name in ("config.yaml", *files):
            (folder_of(each) / name).parent.mkdir(exist_ok=True)
            (folder_of(each) / name).touch()
        (folder_of(each) / "checkpoints").mkdir(exist_ok=True)
        raise KeyError


def test_a_failure_before_anything_is_made_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        fail(run(tmp_path / "runs"), "hparams.yaml")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_there_stay(tmp_path: Path) -> None:
    (tmp_path / "name" / "version_3").mkdir(parents=True)
    with pytest.raises(KeyError):
        fail(run(tmp_path))
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["name", "name/version_3"]


@pytest.mark.parametrize("file", ["metrics.csv", "checkpoints/last.ckpt", "checkpoints/config.yaml"])
def test_a_folder_with_more_stays(file: str, tmp_path: Path) -> None:
    each = run(tmp_path)
    with pytest.raises(KeyError):
        fail(each, file)
    assert {"config.yaml", file.split("/")[0]} <= {path.name for path in folder_of(each).iterdir()}


def test_a_run_goes_on_in_the_folder_of_its_own_last_checkpoint(tmp_path: Path) -> None:
    each = run(tmp_path)
    checkpoints = tmp_path / "name" / "version_2" / "checkpoints"
    folder = run_folders.of_run(each, "last", checkpoints / "older.ckpt")
    assert folder == run_folders.of_run(each, "given", checkpoints / "last.ckpt") == checkpoints.parent
    with run_folders.entered(each, folder):
        assert folder_of(each) == checkpoints.parent


@pytest.mark.parametrize(
    ("path", "logger"),
    [
        ("name/version_2/checkpoints/best.ckpt", True),
        ("other/version_2/checkpoints/last.ckpt", True),
        ("name/version_2/last.ckpt", True),
        ("name/version_2/checkpoints/last.ckpt", False),
    ],
)
def test_another_checkpoint_is_where_a_new_run_starts(path: str, logger: bool, tmp_path: Path) -> None:
    loggers: Logger | bool = CSVLogger(tmp_path, "name") if logger else False
    assert run_folders.of_run(trainer(logger=loggers), "given", tmp_path / path) is None


@pytest.mark.parametrize("writes", [False, True])
def test_a_run_that_fails_before_its_next_checkpoint_leaves_its_folder_as_it_was(writes: bool, tmp_path: Path) -> None:
    folder = tmp_path / "name" / "version_0"
    last = folder / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    for path in (last, folder / "config.yaml", folder / "results.json"):
        path.write_text("old")
    os.utime(last, (0, 0))

    def go_on() -> None:
        with run_folders.kept(run(tmp_path), folder):
            (folder / "config.yaml").write_text("new")
            (folder / "metrics.csv").write_text("new")
            (folder / "results.json").unlink()
            if writes:
                last.write_text("new")
            raise KeyError

    with pytest.raises(KeyError):
        go_on()
    found = {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}
    if writes:
        assert found == {"last.ckpt": "new", "config.yaml": "new", "metrics.csv": "new"}
    else:
        assert found == {"last.ckpt": "old", "config.yaml": "old", "results.json": "old"}


def test_a_folder_that_is_deleted_meanwhile_stays_so(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "config.yaml").touch()

    def go_on() -> None:
        with run_folders.kept(run(tmp_path), tmp_path / "a"):
            shutil.rmtree(tmp_path / "a")
            raise KeyError

    with pytest.raises(KeyError):
        go_on()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("logger", ["none", "another"])
def test_the_checkpoints_of_another_run_are_not_overwritten_whatever_the_logger(logger: str, tmp_path: Path) -> None:
    own = TensorBoardLogger(tmp_path, "name", 3) if logger == "another" else False
    each = trainer(logger=own, default_root_dir=tmp_path)
    run_folders.require_free(each, None)
    last = (tmp_path / "name" / "version_3" if own else tmp_path) / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.touch()
    run_folders.require_free(each, last)
    run_folders.require_free(run(tmp_path), None)
    for path in (None, tmp_path / "last.ckpt"):
        with pytest.raises(UserError, match=r"holds a run already\. .* --ckpt_path .*last\.ckpt\.$"):
            run_folders.require_free(each, path)
