import os
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_vi.modules.newest_checkpoint import newest_checkpoint


def trainer(*folders: Path) -> Trainer:
    savers = [ModelCheckpoint(folder, every_n_epochs=number) for number, folder in enumerate(folders, start=1)]
    return Trainer(accelerator="cpu", logger=False, enable_model_summary=False, callbacks=[*savers])


def test_the_newest_of_all_folders_also_of_an_earlier_start(tmp_path: Path) -> None:
    of_run = trainer(tmp_path / "a", tmp_path / "b")
    assert newest_checkpoint(of_run) is None
    for time, name in enumerate(("a/first.ckpt", "b/newest.ckpt", "a/second.ckpt", "a/notes.txt", "c/other.ckpt")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        seconds = 10 if name == "b/newest.ckpt" else time
        os.utime(path, (seconds, seconds))
    assert newest_checkpoint(of_run) == tmp_path / "b" / "newest.ckpt"


def test_without_callbacks_that_save_there_is_none() -> None:
    assert newest_checkpoint(Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)) is None
