"""A user's own files through the real command line: trained on, tested, predicted; and what can be wrong with them."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from lightning_vi.__main__ import main
from lightning_vi.datamodules import Arrays, Images
from lightning_vi.loading import load
from lightning_vi.modules import BayesByBackprop
from tests.own_files import FEATURES, cancer, diabetes, digit_folders, read, write

SHORT = "--trainer.accelerator=cpu --trainer.max_epochs=3 --model.draws=3 --model.val_draws=1 --model.net.hidden=[8]"
CANCER = f"--config=bbb_csv.yaml {SHORT} --data.target=diagnosis --data.id=patient"
DIABETES = f"--config=bbb_csv_regression.yaml {SHORT} --data.target=progression"
DIGITS = (
    f"--config=bbb_digits.yaml --name=images {SHORT} --data=Images --data.greyscale=true --data.batch_size=8 "
    "--data.split=ByFolder"
)
MISTAKES: dict[str, tuple[str, ...]] = {
    # the file
    "fit {CANCER} --data.path=nowhere.csv": ("nowhere.csv: no such file. Beside it: ", "cancer.csv"),
    "fit {CANCER} --data.path=cancer.xlsx": ("cancer.xlsx", "must end in .csv, .parquet, .npz"),
    "fit {CANCER} --data.path=empty.csv": ("empty.csv is no readable table", "Empty CSV file"),
    "fit {CANCER} --data.path=ragged.csv": ("ragged.csv", "Expected 2 columns, got 1"),
    "fit {CANCER} --data.path=semicolons.csv": ("semicolons.csv", "Is its delimiter ';'? Set delimiter"),
    "fit {CANCER} --data.path=page.parquet": ("page.parquet is no readable table", "Parquet"),
    "fit {CANCER} --data.path=page.npz": ("page.npz is not a readable file of numpy.savez",),
    "fit {CANCER} --data.path=lengths.npz --data.id=null --data.target=y": ("lengths.npz", "x (9, 2), y (8,)"),
    # its columns
    "fit --config=bbb_csv.yaml --data.path=cancer.csv": ("Arrays needs target",),
    "fit {CANCER} --data.path=cancer.csv --data.target=diagnose": (
        "cancer.csv has no column 'diagnose' (target)",
        "It has: patient, mean radius",
    ),
    "fit {CANCER} --data.path=cancer.csv --data.id=name": ("cancer.csv has no column 'name' (id)",),
    "fit {CANCER} --data.path=cancer.csv --data.features=[radius]": ("has no column 'radius' (features)",),
    "fit {CANCER} --data.path=cancer.csv --data.features=[diagnosis]": ("'diagnosis' is named twice", "Name it once"),
    "fit {CANCER} --data.path=cancer.csv --data.split=ByColumn": ("has no column 'split' (split)",),
    "fit {CANCER} --data.path=cancer.csv --data.split=ByFolder": (
        "there is no class 'ByFolder'",
        "Did you mean 'ByFile'",
    ),
    "fit {CANCER} --data.path=parts.csv --data.split=ByColumn": ("'split', row 5 (the first is 0): 'holdout'",),
    # its values
    "fit {CANCER} --data.path=gap.csv": ("gap.csv: column 'mean area', row 7 (the first is 0): it is missing",),
    "fit {CANCER} --data.path=nan.parquet": ("nan.parquet: column 'mean area', row 7", "nan is not a finite number"),
    "fit {CANCER} --data.path=text.csv": ("text.csv: column 'mean area', row 7", "'large' is not a number"),
    "fit {CANCER} --data.path=cancer.csv '--data.features=[mean radius]' --data.target='mean area'": (
        "cancer.csv: column 'mean area': the target",
        "is no class. For a regression give task: regression",
    ),
    "fit {CANCER} --data.path=cancer.csv --data.features=[diagnosis] --data.target='mean area'": (
        "column 'diagnosis', row 0 (the first is 0): 'malignant' is not a number",
    ),
    "fit {CANCER} --data.path=one.csv": ("column 'diagnosis' has the class 'benign' alone", "Give two"),
    "fit {CANCER} --data.path=cancer.csv --data.task=regression": ("column 'diagnosis', row 0", "is not a number"),
    # the splits
    "fit {CANCER} --data.path=cancer.csv --data.split=Fractions --data.split.test=0": ("test (=0.0) in (0, 1)",),
    "fit {CANCER} --data.path=few.csv": ("Fractions: validation (=0.1) makes 0 of 3 examples", "give more"),
    "fit {CANCER} --data.path=cancer.csv --data.split=ByFile --data.split.test=other.csv": (
        "other.csv has no column 'mean area'",
        "as the training file has",
    ),
    "fit {CANCER} --data.path=cancer.csv --data.batch_size=5000": ("batch_size (=5000)", "(=398)"),
    # a checkpoint of other data
    "fit {CANCER} --data.path=changed.csv --ckpt_path=cancer.ckpt --trainer.max_epochs=4": (
        "Arrays: the checkpoint's training split had other examples",
        "--weights",
    ),
    # new examples
    "{PREDICT} --data.predict=nowhere.csv": ("nowhere.csv: no such file",),
    "{PREDICT} --data.predict=other.csv": ("other.csv has no column 'mean area' (a feature of the training)",),
    "{PREDICT} --data.predict=gap.csv": ("gap.csv: column 'mean area', row 7 (the first is 0): it is missing",),
    "{PREDICT} --data.predict=text.csv": ("text.csv: column 'mean area', row 7", "'large' is not a number"),
    "{PREDICT} --data.predict=nan.parquet": ("nan.parquet: column 'mean area', row 7", "nan is not a finite number"),
    "{PREDICT} --data.predict=unknown.csv": (
        "unknown.csv: column 'diagnosis', row 3 (the first is 0): 'unclear' is no class",
        "which has: benign, malignant",
    ),
    "{PREDICT} --data.predict=cancer.csv --output=out.xlsx": ("output (=out.xlsx)", "must end in .csv or .parquet"),
    "{PREDICT} --data.predict=cancer.csv --output=cancer.csv": (
        "--output (=cancer.csv) is the file that is predicted",
    ),
    # images
    "fit {DIGITS} --data.path=nowhere": ("nowhere: there is no such folder of images",),
    "fit {DIGITS} --data.path=broken": ("000.png cannot be decoded", "Remove or mend it"),
    "fit {DIGITS} --data.path=sizes": ("large.png has 9 x 9 pixels", "Give a size"),
    "fit {DIGITS} --data.path=digits/train --data.split=ByFolder": ("the folder 'one' is none of train, val, test",),
    "predict {DIGITS} --data.path=x --ckpt_path=images.ckpt --data.predict=empty": ("empty holds no images",),
}


def run(line: str) -> int:
    names = {"CANCER": CANCER, "DIABETES": DIABETES, "DIGITS": DIGITS, "PREDICT": PREDICT}
    return main(shlex.split(line.format(**names)))


PREDICT = f"predict {CANCER} --data.path=nowhere.csv --ckpt_path=cancer.ckpt"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on each kind of file, their checkpoints, and files with mistakes."""
    path = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        here(patch, path)
        write(cancer(), path / "cancer.csv")
        write(diabetes(), path / "diabetes.parquet")
        for part, count in (("train", 20), ("val", 5), ("test", 5)):
            digit_folders(path / "digits" / part, count)
        assert run("fit {CANCER} --data.path=cancer.csv") == 0
        assert run("fit {DIABETES} --data.path=diabetes.parquet") == 0
        assert run("fit {DIGITS} --data.path=digits") == 0
        for run_name, name in (("bbb_csv", "cancer"), ("images", "images")):
            content = (path / f"runs/{run_name}/version_0/checkpoints/last.ckpt").read_bytes()
            (path / f"{name}.ckpt").write_bytes(content)
        write_mistakes(path)
    return path


def write_mistakes(path: Path) -> None:
    def cell(name: str, column: str, row: int, value: Any, count: int = 100) -> None:
        table = cancer(slice(0, count))
        values = table[column].to_pylist()
        if isinstance(value, str):
            values = list(map(str, values))
        values[row] = value
        write(table.set_column(table.column_names.index(column), column, [values]), path / name)

    cell("gap.csv", "mean area", 7, None)
    cell("nan.parquet", "mean area", 7, float("nan"))
    cell("text.csv", "mean area", 7, "large")
    cell("unknown.csv", "diagnosis", 3, "unclear")
    cell("changed.csv", "mean area", 0, 1.0, count=569)
    write(cancer(slice(0, 4)), path / "few.csv")
    write(pa.table({"patient": range(200), "x": range(200), "diagnosis": ["benign"] * 200}), path / "one.csv")
    parts = ["train"] * 5 + ["holdout"] * 5
    write(cancer(slice(0, 10)).append_column("split", [parts]), path / "parts.csv")
    write(cancer().drop_columns(["mean area"]), path / "other.csv")
    np.savez(path / "lengths.npz", x=np.zeros((9, 2)), y=np.zeros(8, int))
    (path / "empty").mkdir()
    for name, content in {
        "cancer.xlsx": "",
        "empty.csv": "",
        "ragged.csv": "patient,diagnosis\n1,2\n3\n",
        "semicolons.csv": "patient;diagnosis\n1;2\n",
        "page.parquet": "<html>404</html>",
        "page.npz": "<html>404</html>",
    }.items():
        (path / name).write_text(content)
    for name in ("broken", "sizes"):
        digit_folders(path / name / "test", 2)
    (digit_folders(path / "broken" / "train", 2) / "zero" / "000.png").write_text("<html>404</html>")
    Image.new("L", (9, 9)).save(digit_folders(path / "sizes" / "train", 2) / "zero" / "large.png")


def here(patch: pytest.MonkeyPatch, path: Path) -> None:
    patch.chdir(path)
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        patch.setenv(name, "0")


@pytest.fixture
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here(monkeypatch, folder)
    return folder


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_classes_of_a_new_file(suffix: str, inside: Path) -> None:
    new = cancer(slice(100, 160)).drop_columns(["diagnosis"])
    write(new.select(sorted(new.column_names)), Path(f"new.{suffix}"))
    config = "runs/bbb_csv/version_0/config.yaml"
    # The training file is not needed.
    options = f"--config={config} --ckpt_path=last --data.path=nowhere.csv --data.predict=new.{suffix}"
    assert run(f"predict {options} --output=made/out.{suffix} --data.eval_batch_size=13") == 0
    table = read(Path(f"made/out.{suffix}"))
    uncertainties = ["entropy", "expected_entropy", "mutual_information"]
    assert table.column_names == ["id", "predicted", "p_benign", "p_malignant", *uncertainties]
    assert table["id"].to_pylist() == [f"patient {number}" for number in range(100, 160)]
    checkpoint = inside / "cancer.ckpt"
    data = Arrays("nowhere.csv", "diagnosis", id="patient")
    data.load_state_dict(torch.load(checkpoint, weights_only=True)["Arrays"])
    raw = np.stack([new[name].to_numpy() for name in data.learned.features], axis=1)
    predictive = load(checkpoint, BayesByBackprop).predictive(data.learned.scaling(torch.from_numpy(raw)))
    np.testing.assert_allclose(table["p_malignant"], predictive.probabilities[:, 1], rtol=1e-4, atol=1e-7)
    expected = np.array(["benign", "malignant"])[predictive.probabilities.argmax(dim=-1)]
    assert table["predicted"].to_pylist() == expected.tolist()
    np.testing.assert_allclose(table["entropy"], predictive.entropy, rtol=1e-3, atol=1e-6)


def test_the_test_split_has_its_scores_and_ids(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = "runs/bbb_csv/version_0/config.yaml"
    assert run(f"test --config={config} --ckpt_path=last") == 0
    (told,) = re.findall(r"test error, draws averaged +(\S+) %", capsys.readouterr().out)
    assert run(f"predict --config={config} --ckpt_path=last --output=test.csv") == 0
    table = read(Path("test.csv"))
    truth = dict(zip(*(cancer()[name].to_pylist() for name in ("patient", "diagnosis")), strict=True))
    wrong = [truth[row["id"]] != row["predicted"] for row in table.to_pylist()]
    assert len(wrong) == 114
    assert float(told) == pytest.approx(100 * np.mean(wrong), abs=0.01)


def test_a_regression_is_told_in_the_targets_own_units(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = "runs/bbb_csv_regression/version_0/config.yaml"
    assert run(f"test --config={config} --ckpt_path=last") == 0
    (told,) = re.findall(r"test RMSE, draws averaged +(\S+)", capsys.readouterr().out)
    assert run(f"predict --config={config} --ckpt_path=last --output=test.parquet") == 0
    table = {name: column.to_numpy() for name, column in zip(*columns_of("test.parquet"), strict=True)}
    truth = diabetes()["progression"].to_numpy()[table["id"]]
    assert float(told) == pytest.approx(np.sqrt(np.mean((table["mean"] - truth) ** 2)), rel=1e-3)
    assert 40 < float(told) < 100  # the target's standard deviation is 77
    inside_interval = (table["quantile_05"] < truth) & (truth < table["quantile_95"])
    assert 0.6 < inside_interval.mean() <= 1.0
    parts = table["epistemic_standard_deviation"] ** 2 + table["aleatoric_standard_deviation"] ** 2
    np.testing.assert_allclose(table["standard_deviation"] ** 2, parts, rtol=1e-4)
    assert 10 < table["aleatoric_standard_deviation"].mean() < 100


def columns_of(path: str) -> tuple[list[str], list[Any]]:
    table = read(Path(path))
    return table.column_names, table.columns


def test_a_folder_of_images(inside: Path) -> None:
    Path("flat").mkdir()
    for number, path in enumerate(sorted(inside.glob("digits/test/*/*.png"))):
        (inside / "flat" / f"image{number:02}.png").write_bytes(path.read_bytes())
    options = "--config=runs/images/version_0/config.yaml --ckpt_path=last --data.path=nowhere --data.predict=flat"
    assert run(f"predict {options} --output=images.csv") == 0
    table = read(Path("images.csv"))
    assert table["id"].to_pylist() == [f"image{number:02}.png" for number in range(15)]
    assert table.column_names[1:5] == ["predicted", "p_one", "p_two", "p_zero"]
    data = Images("digits", greyscale=True)
    data.load_state_dict(torch.load("images.ckpt", weights_only=True)["Images"])
    (inputs, _), *_ = data.stream("flat", data.learned)
    predictive = load("images.ckpt", BayesByBackprop).predictive(inputs)
    np.testing.assert_allclose(table["p_two"], predictive.probabilities[:, 1], rtol=1e-4, atol=1e-7)


def test_a_run_goes_on_with_the_same_data(inside: Path) -> None:
    line = "fit {CANCER} --data.path=cancer.csv --ckpt_path=cancer.ckpt --trainer.max_epochs=4 --name=goes_on"
    assert run(line) == 0


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_told_in_a_line_and_leaves_nothing(
    line: str, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(inside)
    assert run(line) == 2
    captured = capsys.readouterr()
    lines = [each for each in captured.err.splitlines() if not each.startswith("Note: ")]
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("lightning-vi: ")
    for part in MISTAKES[line]:
        assert part in lines[0]
    assert len(lines[0]) < 420
    assert contents(inside) == before


def test_the_features_number_is_that_of_the_files() -> None:
    assert len(cancer().column_names) == FEATURES + 2


def test_a_network_of_other_images_predicts_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch, tmp_path)
    digit_folders(Path("folders"), 3)
    fit = f"--config=bbb_digits.yaml {SHORT}"
    assert main(shlex.split(f"fit {fit} --data.scaling=UnitInterval")) == 0
    folder = "--data=Images --data.path=folders --data.greyscale=true --data.predict=folders"
    assert main(shlex.split(f"predict {fit} --ckpt_path=last {folder} --output=out.parquet")) == 0
    predicted = read(Path("out.parquet"))
    images = [np.asarray(Image.open(Path("folders", str(name)))) for name in predicted["id"].to_pylist()]
    model = load("runs/bbb_digits/version_0/checkpoints/last.ckpt", BayesByBackprop)
    expected = model.predict(torch.tensor(np.stack(images) / 255, dtype=torch.float32).unsqueeze(1))
    for label in range(10):
        found = torch.tensor(predicted[f"p_{label}"].to_pylist())
        torch.testing.assert_close(found, expected.probabilities[:, label], atol=1e-5, rtol=0)
