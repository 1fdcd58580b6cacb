import csv
from pathlib import Path

import pytest
from matplotlib.image import imread

from benchmarks.shift import ANGLES, SIGMAS, write
from lightning_vi.__main__ import main
from lightning_vi.datamodules import Digits
from tests.elsewhere import elsewhere as elsewhere

OPTIONS = [
    "fit",
    "--config=bbb_digits.yaml",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.max_epochs=8",
    "--test_checkpoint=none",
    "--model.net.hidden=[16]",
    "--trainer.callbacks=ModelCheckpoint",
    "--trainer.callbacks.filename=last",
]
ONE_NETWORK = ["--model=PointEstimate", "--model.optimizer=Adam", "--model.optimizer.lr=0.01", "--name=sgd"]


def test_every_model_on_every_shift() -> None:
    assert main([*OPTIONS, "--model.draws=3", "--model.val_draws=2"]) == 0
    assert main([*OPTIONS, *ONE_NETWORK]) == 0
    runs = {"SGD": Path("runs/sgd/version_0"), "BBB": Path("runs/bbb_digits/version_0")}
    write(runs, Digits(), Path())
    with Path("shift.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * (len(ANGLES) + len(SIGMAS))
    first, turned = (next(line for line in lines if float(line["amount"]) == angle) for angle in (0, 30))
    assert first["model"] == turned["model"] == "SGD"
    assert float(turned["error"]) > float(first["error"]) + 20
    assert float(turned["entropy"]) > float(first["entropy"])
    assert float(first["ood_auroc_entropy"]) == pytest.approx(0.5, abs=1e-5)
    assert float(turned["ood_auroc_entropy"]) > 0.6
    assert (first["ood_auroc_mutual_information"], first["mutual_information"]) == ("", "0.0")
    assert float(lines[1]["mutual_information"]) > 0
    report = Path("shift.md").read_text()
    assert "`python -m benchmarks.shift SGD=RUN BBB=RUN`" in report
    assert "| SGD | sgd.yaml | 8 | 1 | 1,210 |" in report
    assert "| BBB | bbb_digits.yaml | 8 | 3 | 1,210 |" in report
    assert f"| 30° | {float(turned['error']):.2f} % |" in report
    assert "| noisy, 0.5 | SGD |" in report
    assert imread("shift.png").std() > 0.05
