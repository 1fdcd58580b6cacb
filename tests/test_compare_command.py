"""`compare` from end to end on the bundled digits."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from lightning_vi.__main__ import main
from tests.own_files import cancer, write

SHORT = [
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=1",
    "--model.net.hidden=[16]",
    "--trainer.callbacks=LastCheckpoint",
]
FEW = ["--model.draws=3", "--model.val_draws=1", "--model.posterior.initial_sigma=0.1"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs of several kinds; that of dropout has its pixels on another scale."""
    folder = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
            patch.setenv(name, "0")
        assert main(["fit", "--config=bbb_digits.yaml", *SHORT, *FEW]) == 0
        dropout = ["--model.dropout_draws=4", "--data.scaling=Standardise"]
        assert main(["fit", "--config=mc_dropout_digits.yaml", *SHORT, *dropout]) == 0
        ensemble = ["--model.mean_field=null", "--model.members=2"]
        assert main(["fit", "--config=ensemble_digits.yaml", *SHORT, *ensemble]) == 0
        regression = ["--config=bbb_regression.yaml", *SHORT, *FEW]
        assert main(["fit", *regression]) == 0
    return folder / "runs"


@pytest.fixture(autouse=True)
def there(runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder of this test's own that has the runs."""
    shutil.copytree(runs, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)


def checkpoint(name: str) -> str:
    return f"runs/{name}/version_0/checkpoints/last.ckpt"


NAMES = ["bbb_digits", "mc_dropout_digits", "ensemble_digits"]


def table(*args: str) -> list[dict[str, str]]:
    assert main(["compare", *args]) == 0
    with Path("compare/compare.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_scores_are_those_of_the_runs_tests(capsys: pytest.CaptureFixture[str]) -> None:
    rows = table(*map(checkpoint, NAMES))
    kinds = [(row["checkpoint"], row["model"], row["draws"], row["networks"]) for row in rows]
    assert kinds == [
        (checkpoint("bbb_digits"), "BayesByBackprop", "3", "3"),
        (checkpoint("bbb_digits"), "BayesByBackprop", "mean", "1"),
        (checkpoint("mc_dropout_digits"), "PointEstimate", "4", "4"),
        (checkpoint("mc_dropout_digits"), "PointEstimate", "mean", "1"),
        (checkpoint("ensemble_digits"), "DeepEnsemble", "", "2"),
    ]
    for name, (drawn, at_mean) in zip(NAMES, [(0, 1), (2, 3), (4, None)], strict=True):
        scores = json.loads(Path(f"runs/{name}/version_0/results.json").read_text())["scores"]
        for score in ("error", "nll", "ece", "brier"):
            assert float(rows[drawn][score]) == pytest.approx(scores[f"test/{score}"], rel=1e-4, abs=1e-6)
        if at_mean is not None:
            assert float(rows[at_mean]["error"]) == pytest.approx(scores["test/error_mean"], rel=1e-4)
    for row in rows:
        assert 0 < float(row["entropy"]) < 2.31
        assert (float(row["mutual_information"]) > 1e-4) == (row["networks"] != "1")

    out, markdown = capsys.readouterr().out, Path("compare/compare.md").read_text().splitlines()
    assert "Digits, 360 test examples" in out
    assert "also in compare/compare.csv and compare/compare.md" in out
    assert markdown[2].startswith("| run | model | draws | networks | error | NLL per example |")
    assert markdown[4].startswith(
        f"| bbb_digits/version_0 | BayesByBackprop | 3 | 3 | {float(rows[0]['error']):.2f} % |"
    )


def test_draws_on_request_are_those_of_all_that_can_draw() -> None:
    rows = table(*map(checkpoint, NAMES), "--draws=5", "--out=compare")
    assert [row["networks"] for row in rows] == ["5", "1", "5", "1", "2"]


def test_a_regression() -> None:
    drawn, at_mean = table(checkpoint("bbb_regression"))
    coverages = [f"coverage_{percent}" for percent in (50, 90, 95)]
    assert list(drawn)[4:] == ["rmse", "nll", "crps", *coverages, "epistemic_sd", "aleatoric_sd"]
    assert float(drawn["epistemic_sd"]) > 0 == float(at_mean["epistemic_sd"])
    assert drawn["aleatoric_sd"] == at_mean["aleatoric_sd"]


def test_the_data_of_a_configuration_for_all() -> None:
    shutil.copy(checkpoint("bbb_digits"), "lone.ckpt")
    of_run, lone = table(checkpoint("bbb_digits"))[0], table("lone.ckpt", "--config=bbb_digits.yaml")[0]
    assert {**lone, "checkpoint": ""} == {**of_run, "checkpoint": ""}


def test_the_python_of_the_page_runs_beside_these_runs() -> None:
    page = (Path(__file__).parent.parent / "docs" / "predictive.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    exec("\n".join(blocks), {})


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The line that is told."""
    capsys.readouterr()
    assert main(["compare", *args]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("lightning-vi: ")


def test_mistakes_are_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = checkpoint("bbb_digits")
    assert refused(capsys).startswith("compare needs checkpoints, e.g. runs/")
    assert refused(capsys, path, "--draws=0") == "compare: draws (=0) must be at least 1."
    assert refused(capsys, path, "--draw=1") == "there is no option '--draw'. Did you mean '--draws'?"
    assert refused(capsys, "lost.ckpt") == "lost.ckpt: no such file."
    assert refused(capsys, path, "--config=bbb_digts.yaml").endswith("Did you mean 'bbb_digits.yaml'?")
    assert "it has no 'data'" in refused(capsys, path, "--config=trainer.yaml")
    assert refused(capsys, path, f"--out={path}") == f"--out {path}: File exists."
    line = refused(capsys, path, checkpoint("bbb_regression"))
    assert "bbb_regression/version_0/checkpoints/last.ckpt and runs/bbb_digits" in line
    assert "have different test splits" in line
    shutil.copy(path, "lone.ckpt")
    assert "says what data the run has. Give --config NAME.yaml." in refused(capsys, "lone.ckpt")
    config = Path("runs/bbb_digits/version_0/config.yaml")
    config.write_text("data: {class_path: Digits, init_args: {validation_size: 1}}")
    assert "Digits: validation_size (=1) must be 0 or lie in" in refused(capsys, path)
    config.write_text("data: {class_path: Digitz}")
    assert "'Digitz'" in refused(capsys, path)
    config.write_text("data: {class_path: Digits, init_args: {validation: 1}}")
    assert "validation" in refused(capsys, path)


def test_inputs_of_another_shape(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, checkpoint("bbb_digits"), "--config=bbb_regression.yaml")
    assert line.startswith(f"{checkpoint('bbb_digits')} takes inputs of shape (1, 8, 8), but those of ")
    assert line.endswith("bbb_regression.yaml have (1,).")


def test_files_of_ones_own_are_scaled_as_in_training() -> None:
    own = cancer().drop_columns(["patient"])
    write(own, Path("own.csv"))
    write(own.slice(0, 100), Path("new.csv"))  # of another mean and standard deviation
    fit = ["--config=bbb_csv.yaml", "--data.path=own.csv", "--data.target=diagnosis"]
    assert main(["fit", *fit, *SHORT, *FEW]) == 0
    Path("new.yaml").write_text(
        "data: {class_path: Arrays, init_args: {path: new.csv, target: diagnosis, batch_size: 32}}\n"
    )
    drawn, _ = table(checkpoint("bbb_csv"), "--config=new.yaml")
    test = ["test", *fit, *SHORT, *FEW, "--data.path=new.csv", f"--ckpt_path={checkpoint('bbb_csv')}"]
    assert main(test) == 0
    with Path("runs/bbb_csv/version_1/metrics.csv").open() as file:
        (scores,) = csv.DictReader(file)
    for name in ("error", "nll", "brier"):
        assert float(drawn[name]) == pytest.approx(float(scores[f"test/{name}"]), rel=1e-4)
