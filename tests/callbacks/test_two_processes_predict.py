"""A file that two processes predict together has the rows that one gives it, in the file's order."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer

from lightning_vi.callbacks import PredictionWriter
from lightning_vi.datamodules import Arrays
from lightning_vi.modules import PointEstimate
from lightning_vi.networks import MLP
from tests.own_files import cancer, read, write

ROOT = Path(__file__).parents[2]


def run(folder: Path, devices: int, **settings: Any) -> None:
    torch.manual_seed(0)
    path = str(folder / "cancer.csv")
    # 569 examples in blocks of 71 x devices: with two the last block has one example, and one process none of it.
    data = Arrays(path, "diagnosis", id="patient", predict=path, eval_batch_size=71)
    module = PointEstimate(partial(MLP, hidden=(8,)), data.input_shape, data.target_size)
    trainer = Trainer(
        accelerator="cpu",
        devices=devices,
        logger=False,
        callbacks=[PredictionWriter(str(folder / f"{devices}.parquet"))],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.predict(module, data, return_predictions=False)


def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    write(cancer(), tmp_path / "cancer.csv")
    run(tmp_path, 1)
    subprocess.run(
        [sys.executable, __file__, str(tmp_path)], check=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    one, two = (read(tmp_path / f"{devices}.parquet") for devices in (1, 2))
    assert one["id"].to_pylist() == two["id"].to_pylist() == [f"patient {number}" for number in range(569)]
    assert one["predicted"].to_pylist() == two["predicted"].to_pylist()
    np.testing.assert_allclose(two["p_benign"], one["p_benign"], rtol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.parquet", "2.parquet", "cancer.csv"]


if __name__ == "__main__":
    run(Path(sys.argv[1]), 2, strategy="ddp")
