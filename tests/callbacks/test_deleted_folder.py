import shutil
from pathlib import Path

import pytest
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger

from lightning_vi.callbacks import DeletedFolder
from lightning_vi.errors import UserError


def test_a_folder_that_was_deleted_is_noticed(tmp_path: Path) -> None:
    trainer = Trainer(accelerator="cpu", logger=CSVLogger(tmp_path, name="a", version=0), enable_checkpointing=False)
    callback, module = DeletedFolder(), LightningModule()
    callback.on_save_checkpoint(trainer, module, {})  # of a trainer that has not trained
    callback.setup(trainer, module, "fit")
    callback.on_save_checkpoint(trainer, module, {})
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(UserError, match="version_0 was deleted during the training"):
        callback.on_save_checkpoint(trainer, module, {})


def test_a_trial_run_leaves_nothing(tmp_path: Path) -> None:
    trainer = Trainer(accelerator="cpu", fast_dev_run=True, default_root_dir=tmp_path)
    DeletedFolder().setup(trainer, LightningModule(), "fit")
    assert list(tmp_path.iterdir()) == []
