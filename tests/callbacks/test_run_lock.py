import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger

from lightning_vi.__main__ import main
from lightning_vi.callbacks import RunLock
from lightning_vi.errors import UserError

HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return Trainer(accelerator="cpu", logger=CSVLogger(tmp_path, name="a", version=0), enable_checkpointing=False)


MODULE = LightningModule()


def test_only_one_training_has_the_folder(trainer: Trainer, tmp_path: Path) -> None:
    one, other = RunLock(), RunLock()
    one.setup(trainer, MODULE, "fit")
    with pytest.raises(UserError, match="version_0: another training is writing there"):
        other.setup(trainer, MODULE, "fit")
    other.setup(trainer, MODULE, "test")  # which reads
    one.teardown(trainer, MODULE, "fit")
    other.setup(trainer, MODULE, "fit")
    other.on_exception(trainer, MODULE, KeyboardInterrupt())
    one.setup(trainer, MODULE, "fit")
    one.teardown(trainer, MODULE, "fit")


def test_a_trial_run_leaves_nothing(tmp_path: Path) -> None:
    lock = RunLock()
    lock.setup(Trainer(accelerator="cpu", fast_dev_run=True, default_root_dir=tmp_path), MODULE, "fit")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_deleted_is_noticed(trainer: Trainer, tmp_path: Path) -> None:
    lock = RunLock()
    lock.setup(trainer, MODULE, "fit")
    lock.on_save_checkpoint(trainer, MODULE, {})
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(UserError, match="version_0 was deleted during the training"):
        lock.on_save_checkpoint(trainer, MODULE, {})
    lock.teardown(trainer, MODULE, "fit")


def test_fit_leaves_another_runs_folder_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    folder = Path("runs/bbb_digits/version_0")
    folder.mkdir(parents=True)
    short = ["--config=bbb_digits.yaml", "--trainer.accelerator=cpu", "--trainer.max_epochs=1"]
    short += ["--trainer.limit_train_batches=1", "--trainer.limit_val_batches=0", "--test_checkpoint=none"]
    logger = (
        '--trainer.logger={"class_path": "CSVLogger", "init_args": {"save_dir": "runs", "name": null, "version": 0}}'
    )
    command = [sys.executable, "-c", HOLD, str(folder / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert main(["fit", *short, logger]) == 2
        assert f"{folder}: another training is writing there" in capsys.readouterr().err
        assert [path.name for path in folder.iterdir()] == ["lock"]
        holder.kill()  # without a word, as by the system
    assert main(["fit", *short, logger]) == 0
