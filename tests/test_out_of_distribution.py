"""`--ood` through the real command line on the bundled digits."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from pyarrow import compute as pc
from sklearn.metrics import average_precision_score, roc_auc_score

from lightning_vi.__main__ import main
from lightning_vi.datamodules import Arrays, Digits, Rotated
from lightning_vi.loading import load
from lightning_vi.modules import BayesByBackprop
from tests.own_files import cancer, write

SMALL = [
    "--config=bbb_digits.yaml",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--model.draws=3",
    "--model.val_draws=2",
    "--model.net.hidden=[16]",
]
TURNED = ["--ood=Rotated", "--ood.data=Digits", "--ood.data.eval_batch_size=100", "--ood.angle"]
UNCERTAINTIES = ("entropy", "mutual_information", "max_probability")
NAMES = {f"test/ood_{score}_{name}" for score in ("auroc", "aupr", "fpr95") for name in UNCERTAINTIES}


WITHOUT_PICTURES = "--trainer.callbacks=ProgressBar"
pytestmark = pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that ends with a test against rotated digits."""
    folder = tmp_path_factory.mktemp("ood")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
            patch.setenv(name, "0")
        assert main(["fit", *SMALL, "--trainer.max_epochs=10", *TURNED, "30"]) == 0
    return folder / "runs" / "bbb_digits" / "version_0"


def scored(run: Path, tmp_path: Path, *options: str) -> Path:
    """The folder of a test of its checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
            patch.setenv(name, "0")
        assert main(["test", *SMALL, f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}", *options]) == 0
    return tmp_path / "runs" / "bbb_digits" / "version_0"


def logged(folder: Path, names: set[str]) -> dict[str, float]:
    """What the logger has had last by these names, in one line."""
    with (folder / "metrics.csv").open() as file:
        *_, row = (row for row in csv.DictReader(file) if row[min(names)])
    return {name: float(row[name]) for name in names}


def test_scores_are_those_of_scikit_learn_on_all_predictions(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())["scores"]
    found = {name: results[name] for name in NAMES}
    assert logged(run, NAMES) == pytest.approx(found)
    model = load(run / "checkpoints" / "last.ckpt", BayesByBackprop)
    predictives = [model.predictive(data.splits().test.tensors[0]) for data in (Digits(), Rotated(Digits(), 30.0))]
    is_other = torch.arange(720) >= 360
    for name, parts in {
        "entropy": [each.entropy for each in predictives],
        "mutual_information": [each.mutual_information for each in predictives],
        "max_probability": [1 - each.probabilities.amax(-1) for each in predictives],
    }.items():
        uncertainty = torch.cat(parts)
        area = average_precision_score(is_other, uncertainty)
        assert found[f"test/ood_auroc_{name}"] == pytest.approx(roc_auc_score(is_other, uncertainty), abs=1e-3)
        assert found[f"test/ood_aupr_{name}"] == pytest.approx(area, abs=1e-3)
    assert found["test/ood_auroc_entropy"] > 0.7


def test_test_has_the_scores_of_fit_and_the_pictures_of_the_test_split(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = scored(run, tmp_path, *TURNED, "30")
    scores = logged(folder, NAMES)
    assert scores == pytest.approx(logged(run, NAMES), abs=1e-6)
    captured = capsys.readouterr()
    (line,) = (line for line in captured.out.splitlines() if "test OOD AUROC, entropy" in line)
    assert line.split()[-1] == f"{scores['test/ood_auroc_entropy']:.4f}"
    assert "draws nothing" not in captured.err
    figures = {path.stem for path in (folder / "figures").iterdir()}
    assert figures == {"reliability_diagram", "accuracy_rejection", "uncertain_images", "signal_to_noise"}


def test_digits_turned_by_nothing_are_not_told_from_themselves(run: Path, tmp_path: Path) -> None:
    scores = logged(scored(run, tmp_path, WITHOUT_PICTURES, *TURNED, "0"), NAMES)
    for name in UNCERTAINTIES:
        assert scores[f"test/ood_auroc_{name}"] == pytest.approx(0.5, abs=0.01)
        assert scores[f"test/ood_fpr95_{name}"] == pytest.approx(0.95, abs=0.01)


def test_a_shifted_test_split_is_data_too(run: Path, tmp_path: Path) -> None:
    turned = scored(run, tmp_path, WITHOUT_PICTURES, "--data=Rotated", "--data.data=Digits", "--data.angle=90")
    assert logged(turned, {"test/error"})["test/error"] > logged(run, {"test/error"})["test/error"] + 20


def test_files_of_ones_own_are_scaled_as_those_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "0")
    own = cancer().drop_columns(["patient"])
    write(own, Path("own.csv"))
    # The same but for classes of other names, the columns' order and units of a thousandth.
    columns = {name: pc.multiply(own[name], 1000) for name in reversed(own.column_names) if name != "diagnosis"}
    write(pa.table({**columns, "diagnosis": pc.utf8_upper(own["diagnosis"])}), Path("other.csv"))
    options = [
        "--config=bbb_csv.yaml",
        *SMALL[1:],
        WITHOUT_PICTURES,
        "--data.path=own.csv",
        "--data.target=diagnosis",
        "--ood=Arrays",
        "--ood.path=other.csv",
        "--ood.target=diagnosis",
    ]
    callbacks = "--trainer.callbacks=[ProgressBar, LastCheckpoint]"
    assert main(["fit", *options, "--trainer.max_epochs=2", callbacks]) == 0
    fitted = logged(Path("runs/bbb_csv/version_0"), NAMES)
    assert main(["test", *options, "--ckpt_path=last"]) == 0
    tested = logged(Path("runs/bbb_csv/version_1"), NAMES)
    assert tested == pytest.approx(fitted, abs=1e-6)

    data = Arrays("own.csv", target="diagnosis")
    data.setup()
    (batch,) = data.predict_dataloader()
    raw = torch.tensor([own[name].to_pylist() for name in data.learned.features], dtype=torch.float64).T[batch.ids]
    model = load("runs/bbb_csv/version_0/checkpoints/last.ckpt", BayesByBackprop)
    inputs = torch.cat([batch.inputs, data.learned.scaling(1000 * raw)])
    area = roc_auc_score(torch.arange(len(inputs)) >= len(raw), model.predict(inputs).entropy)
    assert tested["test/ood_auroc_entropy"] == pytest.approx(area, abs=1e-3)
