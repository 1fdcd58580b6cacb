"""What two processes write together is what one process writes."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from matplotlib.image import imread

from lightning_vi.callbacks import (
    AccuracyRejection,
    LearningCurves,
    PredictionWriter,
    ReliabilityDiagram,
    UncertainImages,
)
from lightning_vi.datamodules import Digits
from lightning_vi.modules import BayesByBackprop
from lightning_vi.networks import MLP


def run(folder: Path, devices: int, **settings: Any) -> None:
    torch.manual_seed(0)
    data = Digits(batch_size=128 // devices, eval_batch_size=70, seed=0)
    module = BayesByBackprop(partial(MLP, hidden=(8,)), data.input_shape, data.target_size, draws=2, compile=False)
    trainer = Trainer(
        accelerator="cpu",
        devices=devices,
        max_epochs=1,
        logger=False,
        default_root_dir=folder,
        callbacks=[
            AccuracyRejection(),
            LearningCurves(),
            PredictionWriter(),
            ReliabilityDiagram(),
            UncertainImages(),
        ],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.test(module, data, verbose=False)
    trainer.predict(module, data, return_predictions=False)
    if devices > 1:
        trainer.fit(module, data)


def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run(one, 1)
    subprocess.run([sys.executable, __file__, str(two)], check=True, timeout=300)
    lines = [(folder / "predictions.csv").read_text().splitlines() for folder in (one, two)]
    assert lines[0][0] == lines[1][0]
    tables = [np.genfromtxt(rows, delimiter=",", skip_header=1) for rows in lines]
    np.testing.assert_allclose(tables[1], tables[0], rtol=1e-3, atol=1e-6)
    for name in ("reliability_diagram", "uncertain_images", "accuracy_rejection"):
        pictures = [imread(folder / "figures" / f"{name}.png") for folder in (one, two)]
        np.testing.assert_allclose(pictures[1], pictures[0], atol=0.01)
    assert (two / "figures" / "learning_curves.png").is_file()
    assert sorted(path.name for path in two.iterdir()) == ["figures", "predictions.csv"]


if __name__ == "__main__":
    run(Path(sys.argv[1]), 2, strategy="ddp")
