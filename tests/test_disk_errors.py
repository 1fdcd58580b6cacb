import errno
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from lightning_vi import checkpoints
from lightning_vi.__main__ import main
from lightning_vi.callbacks import ProgressBar
from lightning_vi.disk_errors import disk_errors_told
from lightning_vi.errors import UserError

SHORT = ["--config=bbb_digits.yaml", "--trainer.accelerator=cpu", "--trainer.max_epochs=2"]
SHORT += ["--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1", "--model.val_draws=1"]
LAST = Path("runs/bbb_digits/version_0/checkpoints/last.ckpt")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A context in which writing more to a file fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOENT])
def test_what_the_disk_refuses_is_told(code: int) -> None:
    with pytest.raises(UserError, match=rf"^a\.txt: {os.strerror(code)}\. Mend that"), disk_errors_told():
        raise OSError(code, os.strerror(code), "a.txt")


def test_what_is_noted_of_it_is_told_too() -> None:
    error = OSError(errno.ENOENT, "No such file", "a.png")
    error.add_note("lightning-vi: the same command goes on from here with --ckpt_path a.ckpt")
    with pytest.raises(UserError, match=r"as they were\.\nthe same command goes on .* a\.ckpt$"), disk_errors_told():
        raise error


@pytest.mark.parametrize("error", [OSError(errno.EPIPE, "Broken pipe"), OSError(errno.ENOENT, "no name"), OSError("?")])
def test_anything_else_passes(error: OSError) -> None:
    with pytest.raises(OSError, match=r".") as caught, disk_errors_told():
        raise error
    assert caught.value is error


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    checkpoints.write({"state_dict": {"a": torch.zeros(9)}}, path)
    content = path.read_bytes()
    for size in (0, 100, 5_000, 40_000, 40_600):  # in the head, in the data, in the end, in the checksum
        with pytest.raises(UserError, match=r"a\.ckpt cannot be written: File too large"), files_of_at_most(size):
            checkpoints.write({"state_dict": {"a": torch.zeros(10_000)}}, path)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(UserError, match=r"a\.ckpt/b\.ckpt cannot be written: "):
        checkpoints.write({}, path / "b.ckpt")


def test_a_full_disk_ends_the_run_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *SHORT, "--test_checkpoint=none"]) == 0
    content = LAST.read_bytes()
    capsys.readouterr()
    with files_of_at_most(len(content) // 2):
        assert main(["fit", *SHORT, "--trainer.max_epochs=3", "--ckpt_path=last"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lightning-vi:")]
    assert "File too large" in line
    assert LAST.read_bytes() == content
    assert checkpoints.read(LAST)["epoch"] == 1


def test_a_folder_that_cannot_be_made_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs").touch()
    assert main(["fit", *SHORT]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lightning-vi: ")
    assert "runs" in line


def test_a_folder_that_is_deleted_ends_the_run_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def delete(self: ProgressBar, trainer: Trainer, module: LightningModule) -> None:
        shutil.rmtree("runs")

    monkeypatch.setattr(ProgressBar, "on_train_epoch_start", delete)
    assert main(["fit", *SHORT]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lightning-vi:")]
    assert len(lines) == 1
    assert "version_0" in lines[0]
