import subprocess
import sys
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger

from lightning_vi.__main__ import main
from lightning_vi.errors import UserError
from lightning_vi.run_lock import run_lock

HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""
SHORT = ["--config=bbb_digits.yaml", "--trainer.accelerator=cpu", "--trainer.max_epochs=1"]
SHORT += ["--trainer.limit_train_batches=1", "--trainer.limit_val_batches=0", "--test_checkpoint=none"]


def test_only_one_training_has_the_folder(tmp_path: Path) -> None:
    def make_trainer(version: int) -> Trainer:
        logger = CSVLogger(tmp_path, name="a", version=version)
        return Trainer(accelerator="cpu", logger=logger, enable_checkpointing=False)

    with run_lock(make_trainer(0)):
        with pytest.raises(UserError, match="version_0: another training is writing there"), run_lock(make_trainer(0)):
            pass
        with run_lock(make_trainer(1)):
            pass
    with pytest.raises(ZeroDivisionError), run_lock(make_trainer(0)):
        1 / 0  # noqa: B018
    with run_lock(make_trainer(0)):
        pass
    assert list((tmp_path / "a").iterdir()) == []


def test_without_a_logger_the_folder_is_the_trainers(tmp_path: Path) -> None:
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, default_root_dir=tmp_path)
    with run_lock(trainer):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert list(tmp_path.iterdir()) == []


def test_a_trial_run_leaves_nothing(tmp_path: Path) -> None:
    with run_lock(Trainer(accelerator="cpu", fast_dev_run=True, default_root_dir=tmp_path)):
        assert list(tmp_path.iterdir()) == []


def test_a_run_goes_on_when_the_one_in_its_folder_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    folder = Path("runs/bbb_digits/version_0")
    assert main(["fit", *SHORT]) == 0
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    longer = ["fit", *SHORT, "--trainer.max_epochs=2", "--ckpt_path=last"]
    command = [sys.executable, "-c", HOLD, str(folder.with_name(".version_0.lock"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert main(longer) == 2
        assert f"{folder}: another training is writing there" in capsys.readouterr().err
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
        holder.kill()  # without a word, as by the system
    assert main(longer) == 0
