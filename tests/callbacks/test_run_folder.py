from collections.abc import Callable
from pathlib import Path

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from lightning_vi.callbacks.run_folder import run_folder


def test_is_where_the_logger_and_the_checkpoints_are(
    tmp_path: Path, make_trainer: Callable[..., Trainer], classification: tuple[LightningModule, LightningDataModule]
) -> None:
    checkpoint = ModelCheckpoint(filename="one")
    trainer = make_trainer(checkpoint, max_epochs=1, enable_checkpointing=True)
    trainer.fit(*classification)
    folder = tmp_path / "runs" / "test" / "version_0"
    assert run_folder(trainer) == folder
    assert (folder / "metrics.csv").is_file()
    assert Path(checkpoint.best_model_path) == folder / "checkpoints" / "one.ckpt"


def test_follows_the_first_logger(tmp_path: Path, make_trainer: Callable[..., Trainer]) -> None:
    first = TensorBoardLogger(tmp_path / "a", name="b", version="c")
    trainer = make_trainer(logger=[first, CSVLogger(tmp_path / "d")])
    assert run_folder(trainer) == tmp_path / "a" / "b" / "c"


def test_is_the_root_without_a_logger(tmp_path: Path, make_trainer: Callable[..., Trainer]) -> None:
    assert run_folder(make_trainer(logger=False)) == tmp_path
