import json
import struct
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger, WandbLogger
from matplotlib.figure import Figure
from matplotlib.image import imread

from lightning_vi.callbacks import LearningCurves, SignalToNoise
from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.run_folder import run_folder


def picture() -> Figure:
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.add_subplot().plot([0, 1], [1, 0])
    return figure


def test_saves_the_figure_in_the_run_folder(tmp_path: Path, make_trainer: Callable[..., Trainer]) -> None:
    log_image(make_trainer(), "line", picture())
    pixels = imread(tmp_path / "runs/test/version_0/figures/line.png")
    assert pixels.shape == (50, 100, 4)
    assert pixels.std() > 0.05


def test_leaves_no_trace_of_a_fast_dev_run(tmp_path: Path, make_trainer: Callable[..., Trainer]) -> None:
    log_image(make_trainer(fast_dev_run=True), "line", picture())
    assert not list(tmp_path.rglob("*.png"))


def test_tensorboard_holds_scalars_and_the_same_image(
    tmp_path: Path,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer = make_trainer(LearningCurves(), logger=TensorBoardLogger(tmp_path, name="tb"))
    trainer.fit(*classification)
    trainer.test(*classification, verbose=False)
    log_image(trainer, "later", picture())  # after a test, when Lightning has closed the writer
    events = EventAccumulator(str(run_folder(trainer))).Reload()
    assert len(events.Scalars("val/error")) == len(events.Scalars("train/elbo")) == 2
    assert len(events.Scalars("test/error")) == 1
    (image,) = events.Images("figures/learning_curves")
    height, width, _ = imread(run_folder(trainer) / "figures" / "learning_curves.png").shape
    assert (image.height, image.width, image.step) == (height, width, trainer.global_step)
    assert len(events.Images("figures/later")) == 1


def test_wandb_offline_holds_history_config_and_the_same_image(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = WandbLogger(project="vi", save_dir=tmp_path, offline=True)
    curves = LearningCurves()
    trainer = make_trainer(curves, SignalToNoise(), logger=logger)
    try:
        trainer.fit(*classification)
        trainer.test(*classification, verbose=False)
    finally:
        logger.experiment.finish()
    assert run_folder(trainer) == tmp_path / "vi" / str(logger.version)

    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    history, config = read_wandb(file)
    for name in ("val/error", "train/elbo"):
        logged = [row[name] for row in history if name in row]
        assert logged == pytest.approx(list(curves.history[name].values()))
        assert len(logged) == 2
    assert [row for row in history if "test/error" in row]
    assert config["draws"] == 4
    key = "figures/learning_curves/filenames"
    ((sent,),) = (row[key] for row in history if key in row)
    saved = run_folder(trainer) / "figures" / "learning_curves.png"
    np.testing.assert_array_equal(imread(file.parent / "files" / sent), imread(saved))
    # after training and after the test
    assert len([row for row in history if "figures/signal_to_noise/filenames" in row]) == 2


def test_every_logger_gets_it(tmp_path: Path, make_trainer: Callable[..., Trainer]) -> None:
    loggers = [CSVLogger(tmp_path, name="csv"), TensorBoardLogger(tmp_path, name="tb")]
    trainer = make_trainer(logger=loggers)
    log_image(trainer, "line", picture())
    assert (tmp_path / "csv/version_0/figures/line.png").is_file()
    assert list((tmp_path / "tb").rglob("events.out.tfevents.*"))


def read_wandb(file: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of a run's history and its configuration."""
    record_type: Any = import_module("wandb.proto.wandb_internal_pb2").Record  # its attributes are made at run time
    history: list[dict[str, Any]] = []
    config: dict[str, Any] = {}
    for data in records(file.read_bytes()):
        record = record_type.FromString(data)
        if record.WhichOneof("record_type") == "history":
            row: dict[str, Any] = {}
            for item in record.history.item:
                row[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
            history.append(row)
        for item in (*record.config.update, *record.run.config.update):
            config[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    return history, config


def records(log: bytes) -> Iterator[bytes]:
    """The records of a W&B run file, which is LevelDB's log format after a header of 7 bytes.

    W&B 0.31 has no reader in Python any more. Blocks of 32 KiB hold chunks: checksum (4 bytes), length (2),
    type (1: whole record, 2: first part, 3: middle, 4: last), data; fewer than 7 bytes at a block's end are padding.
    """
    assert log[:4] == b":W&B"
    position, record = 7, b""
    while position < len(log):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", log, position)
        record += log[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            yield record
            record = b""
