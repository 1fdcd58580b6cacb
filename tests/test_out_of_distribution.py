"""`--ood` through the real command line on the bundled digits."""

import csv
import json
from pathlib import Path

import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from lightning_vi.__main__ import main
from lightning_vi.datamodules import Digits, Noisy, Rotated
from lightning_vi.loading import load
from lightning_vi.modules import BayesByBackprop
from tests.elsewhere import elsewhere as elsewhere

SMALL = [
    "--config=bbb_digits.yaml",
    "--trainer.accelerator=cpu",
    "--model.draws=5",
    "--model.val_draws=2",
    "--model.net.hidden=[16]",
    "--data.eval_batch_size=100",
]
NOISY = ["--ood=Noisy", "--ood.data=Digits", "--ood.sigma=0.8"]
NAMES = {
    f"test/ood_{score}_{name}"
    for score in ("auroc", "aupr", "fpr95")
    for name in ("entropy", "mutual_information", "max_probability")
}


def ood_scores(folder: Path) -> dict[str, float]:
    """What the logger has of them."""
    with (folder / "metrics.csv").open() as file:
        rows = [{name: row[name] for name in NAMES} for row in csv.DictReader(file)]
    (row,) = (each for each in rows if any(each.values()))
    return {name: float(value) for name, value in row.items()}


def test_of_fit_and_test(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *SMALL, "--trainer.max_epochs=10", *NOISY]) == 0
    out = capsys.readouterr().out
    fitted = ood_scores(Path("runs/bbb_digits/version_0"))
    results = json.loads(Path("runs/bbb_digits/version_0/results.json").read_text())["scores"]
    assert {name: results[name] for name in NAMES} == pytest.approx(fitted)
    assert f"test OOD AUROC, entropy             {fitted['test/ood_auroc_entropy']:.4f}" in out

    model = load("runs/bbb_digits/version_0/checkpoints/last.ckpt", BayesByBackprop)
    predictives = [model.predictive(data.splits().test.tensors[0]) for data in (Digits(), Noisy(Digits(), 0.8))]
    is_other = torch.arange(720) >= 360
    for name, parts in {
        "entropy": [each.entropy for each in predictives],
        "mutual_information": [each.mutual_information for each in predictives],
        "max_probability": [1 - each.probabilities.amax(-1) for each in predictives],
    }.items():
        uncertainty = torch.cat(parts)
        assert fitted[f"test/ood_auroc_{name}"] == pytest.approx(roc_auc_score(is_other, uncertainty), rel=1e-4)
        area = average_precision_score(is_other, uncertainty)
        assert fitted[f"test/ood_aupr_{name}"] == pytest.approx(area, rel=1e-4)
    assert fitted["test/ood_auroc_entropy"] > 0.6

    figures = Path("runs/bbb_digits/version_1/figures")
    assert main(["test", *SMALL, "--ckpt_path=last", *NOISY]) == 0
    assert ood_scores(figures.parent) == pytest.approx(fitted)
    assert "predicts no classes" not in capsys.readouterr().err
    assert {path.stem for path in figures.iterdir()} == {
        "reliability_diagram",
        "accuracy_rejection",
        "uncertain_images",
    }


def test_a_test_set_turned_by_nothing_is_not_told_from_itself() -> None:
    assert main(["fit", *SMALL, "--trainer.max_epochs=1", "--test_checkpoint=none"]) == 0
    assert main(["test", *SMALL, "--ckpt_path=last", "--ood=Rotated", "--ood.data=Digits", "--ood.angle=0"]) == 0
    scores = ood_scores(Path("runs/bbb_digits/version_1"))
    for name in ("entropy", "mutual_information", "max_probability"):
        assert scores[f"test/ood_auroc_{name}"] == pytest.approx(0.5, abs=1e-5)
        assert scores[f"test/ood_aupr_{name}"] == pytest.approx(0.5, abs=1e-5)


def test_a_shifted_test_split_is_data_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *SMALL, "--trainer.max_epochs=10", "--test_checkpoint=none"]) == 0
    for angle in (0, 90):
        assert (
            main(
                [
                    "test",
                    *SMALL[:-1],
                    "--ckpt_path=last",
                    "--data=Rotated",
                    "--data.data=Digits",
                    f"--data.angle={angle}",
                ]
            )
            == 0
        )
    assert Rotated(Digits(), 90.0).target_size == 10
    plain, turned = (out for out in capsys.readouterr().out.split("BayesByBackprop on Rotated")[1:])
    errors = [float(out.split("draws averaged")[1].split()[0]) for out in (plain, turned)]
    assert errors[1] > errors[0] + 20
