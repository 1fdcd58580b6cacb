"""`prune` from end to end on the bundled digits, and what can be done with the checkpoint that it writes."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_vi.__main__ import main
from lightning_vi.modules import BayesByBackprop
from tests.elsewhere import elsewhere as elsewhere

SMALL = ["--config=bbb_digits.yaml", "--trainer.accelerator=cpu", "--model.draws=3", "--model.val_draws=2"]
WIDTH = "--model.net.hidden=[16]"
WEIGHTS = 65 * 16 + 17 * 10
RUNS = Path("runs") / "bbb_digits"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
            patch.setenv(name, "0")
        assert main(["fit", *SMALL, WIDTH, "--trainer.max_epochs=2", "--test_checkpoint=none"]) == 0
    return folder / "runs"


@pytest.fixture
def run(trained: Path, elsewhere: None) -> None:
    """That run in this folder."""
    shutil.copytree(trained, "runs")


def prune(*args: str) -> Path:
    """The folder that the command leaves."""
    before = set(RUNS.iterdir())
    assert main(["prune", *SMALL, WIDTH, *args]) == 0
    (new,) = set(RUNS.iterdir()) - before
    return new


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "pruning.csv").open() as file:
        return list(csv.DictReader(file))


def removed(path: Path) -> Tensor:
    checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
    kept: Tensor = checkpoint["state_dict"]["model._extra_state"]["kept"]
    return ~kept


def load(path: Path) -> BayesByBackprop:
    model: BayesByBackprop = BayesByBackprop.load_from_checkpoint(path, weights_only=True)
    return model


def vector(weights: Any) -> Tensor:
    return torch.cat([piece.flatten() for piece in weights.values()])


@pytest.mark.usefixtures("run")
def test_leaves_table_figures_and_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    folder = prune("--ckpt_path=last", "--published={0: 1.24, 0.8: 1.3}")
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert lines[0] == f"BayesByBackprop on Digits, 3 draws: {RUNS}/version_0/checkpoints/last.ckpt"
    assert lines[-1] == f"  with 95.04 % removed: {folder}/checkpoints/pruned.ckpt"

    fractions = (0, 0.5, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99)
    rows = table(folder)
    assert [int(row["weights_left"]) for row in rows] == [WEIGHTS - round(f * WEIGHTS) for f in fractions]
    assert [float(row["fraction_removed"]) for row in rows] == pytest.approx(fractions, abs=1 / WEIGHTS)
    scores = ("error", "nll", "ece", "brier", "ece_adaptive", "aurc")
    assert list(rows[0]) == [
        *("fraction_removed", "weights_left"),
        *scores,
        *(f"{name}_mean" for name in scores),
        "published_error",
    ]
    assert [row["published_error"] for row in rows] == ["1.24", "", "", "1.3", "", "", "", ""]
    assert float(rows[-1]["nll"]) > float(rows[0]["nll"])

    title, _, heading, rule, *markdown = (folder / "pruning.md").read_text().splitlines()
    assert title == lines[0]
    assert heading == (
        "| removed | weights left | test error, draws averaged | test error, posterior mean "
        "| test NLL per example | test error, published |"
    )
    assert set(rule) == set("|-: ")
    first = rows[0]
    assert markdown[0] == (
        f"| 0 % | 1,210 | {float(first['error']):.2f} % | {float(first['error_mean']):.2f} % "
        f"| {float(first['nll']):.4f} nats | 1.24 % |"
    )
    assert len(markdown) == len(lines) - 3 == 8
    assert {path.stem for path in (folder / "figures").iterdir()} == {"pruning", "signal_to_noise"}
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["pruned.ckpt"]
    assert (folder / "config.yaml").is_file()


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_with_nothing_removed_it_is_a_test(precision: str) -> None:
    options = ["--ckpt_path=last", f"--trainer.precision={precision}"]
    (row,) = table(prune(*options, "--fractions=[0]"))
    assert main(["test", *SMALL, WIDTH, *options]) == 0
    with (RUNS / "version_2" / "metrics.csv").open() as file:
        (metrics,) = csv.DictReader(file)
    tested = {name.removeprefix("test/"): float(value) for name, value in metrics.items() if name.startswith("test/")}
    assert set(tested) == {"error", "nll", "ece", "ece_adaptive", "brier", "aurc", "error_mean"}
    assert {name: row[name] for name in tested} == {name: f"{value:.6g}" for name, value in tested.items()}


@pytest.mark.usefixtures("run")
def test_the_lines_are_those_of_the_pruned_checkpoints() -> None:
    """A pruned file, tested, has the scores that the table promises for it."""
    folder = prune("--ckpt_path=last", "--fractions=[0.75]", "--remove=0.75")
    path = folder / "checkpoints" / "pruned.ckpt"
    assert main(["test", *SMALL, WIDTH, f"--ckpt_path={path}"]) == 0
    with (RUNS / "version_2" / "metrics.csv").open() as file:
        (metrics,) = csv.DictReader(file)
    (row,) = table(folder)
    for name in ("error", "nll", "ece", "ece_adaptive", "brier", "aurc", "error_mean"):
        assert row[name] == f"{float(metrics[f'test/{name}']):.6g}"


@pytest.mark.usefixtures("run")
def test_the_written_checkpoint_has_exactly_its_fraction_removed() -> None:
    before = load(RUNS / "version_0" / "checkpoints" / "last.ckpt")
    path = prune("--ckpt_path=last", "--fractions=[0]", "--remove=0.75") / "checkpoints" / "pruned.ckpt"
    model = load(path)
    gone = removed(path)
    assert int(gone.sum()) == model.model.removed == round(0.75 * WEIGHTS)
    ratios = before.model.signal_to_noise()
    assert ratios[gone].max() < ratios[~gone].min()
    for weights in (model.model.mean(), model.model.sample(), model.model.draw().weights):
        assert vector(weights)[gone].eq(0).all()
        assert vector(weights)[~gone].ne(0).all()
    assert torch.equal(vector(model.model.mean())[~gone], before.model.mu[~gone])
    assert main(["predict", *SMALL, WIDTH, f"--ckpt_path={path}"]) == 0


@pytest.mark.usefixtures("run")
def test_fine_tuning_goes_on_with_the_weights_that_are_left() -> None:
    folder = prune("--ckpt_path=last", "--fractions=[0.95]")
    path = folder / "checkpoints" / "pruned.ckpt"
    gone = removed(path)
    assert int(gone.sum()) == round(0.95 * WEIGHTS)
    assert main(["fit", *SMALL, WIDTH, f"--ckpt_path={path}", "--trainer.max_epochs=4"]) == 0
    tuned = RUNS / "version_2" / "checkpoints" / "last.ckpt"
    assert torch.load(tuned, weights_only=True)["epoch"] == 3
    assert torch.equal(removed(tuned), gone)
    model, start = load(tuned), load(path)
    for weights in (model.model.mean(), model.model.sample(), model.model.draw().weights):
        assert vector(weights)[gone].eq(0).all()
        assert vector(weights).isfinite().all()
    assert (vector(model.model.mean())[~gone] != vector(start.model.mean())[~gone]).all()

    (pruned,) = table(folder)
    with (RUNS / "version_2" / "metrics.csv").open() as file:
        lines = list(csv.DictReader(file))
    errors = [float(line["test/error"]) for line in lines if line["test/error"]]
    elbo = [float(line["train/elbo"]) for line in lines if line["train/elbo"]]
    assert errors[-1] < float(pruned["error"]) + 1.0
    assert elbo[-1] > elbo[0]


@pytest.mark.usefixtures("run")
def test_what_is_removed_stays_removed_and_counts() -> None:
    path = prune("--ckpt_path=last", "--fractions=[0]", "--remove=0.8") / "checkpoints" / "pruned.ckpt"
    again = prune(f"--ckpt_path={path}", "--fractions=[0, 0.5, 0.9]", "--remove=0.5", "--published={0: 1.24}")
    rows = table(again)
    assert [int(row["weights_left"]) for row in rows] == [WEIGHTS - round(f * WEIGHTS) for f in (0.8, 0.9)]
    assert [row["published_error"] for row in rows] == ["", ""]
    assert torch.equal(removed(again / "checkpoints" / "pruned.ckpt"), removed(path))
    more = prune(f"--ckpt_path={path}", "--fractions=[0]", "--remove=0.9") / "checkpoints" / "pruned.ckpt"
    assert int(removed(more).sum()) == round(0.9 * WEIGHTS)
    assert removed(more)[removed(path)].all()


@pytest.mark.usefixtures("run")
def test_draws_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    few, many = (table(prune("--ckpt_path=last", "--fractions=[0.5]", f"--draws={draws}"))[0] for draws in (1, 20))
    assert few["nll"] != many["nll"]
    assert few["nll_mean"] == many["nll_mean"]
    assert "on Digits, 20 draws:" in capsys.readouterr().out


@pytest.mark.usefixtures("run")
def test_a_trial_leaves_nothing() -> None:
    assert main(["prune", *SMALL, WIDTH, "--ckpt_path=runs/bbb_digits/version_0/checkpoints/last.ckpt",
                 "--trainer.fast_dev_run=true"]) == 0  # fmt: skip
    assert [path.name for path in RUNS.iterdir()] == ["version_0"]


def test_a_file_of_the_same_name_is_replaced_not_overwritten(trained: Path) -> None:
    """Without a logger the folder is always the same, and what is read lies where it is to be written."""
    Path("checkpoints").mkdir()
    shutil.copy(trained / "bbb_digits" / "version_0" / "checkpoints" / "last.ckpt", "checkpoints/pruned.ckpt")
    options = ["--ckpt_path=checkpoints/pruned.ckpt", "--trainer.logger=false", "--fractions=[0]"]
    assert main(["prune", *SMALL, WIDTH, *options]) == 0
    assert int(removed(Path("checkpoints/pruned.ckpt")).sum()) == round(0.95 * WEIGHTS)
    assert [path.name for path in Path("checkpoints").iterdir()] == ["pruned.ckpt"]


def test_a_regression_by_its_own_scores(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--config=bbb_regression.yaml", "--trainer.accelerator=cpu", "--model.draws=3", "--trainer.max_epochs=2"]
    assert main(["fit", *options]) == 0
    assert main(["prune", *options, "--ckpt_path=last", "--fractions=[0, 0.5]"]) == 0
    (file,) = Path("runs").glob("*/*/pruning.csv")
    rows = table(file.parent)
    scores = ["rmse", "nll", "crps", "coverage_50", "coverage_90", "coverage_95"]
    assert list(rows[0]) == ["fraction_removed", "weights_left", *scores, *(f"{name}_mean" for name in scores)]
    assert "test RMSE, draws averaged" in capsys.readouterr().out
    assert (file.parent / "figures" / "pruning.png").is_file()


def test_deterministic_parameters_do_not_count() -> None:
    options = [*SMALL, WIDTH, "--model.bayesian=.*weight", "--trainer.max_epochs=1", "--test_checkpoint=none"]
    assert main(["fit", *options]) == 0
    source = torch.load(RUNS / "version_0" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    weights = source["model.mu"].numel()
    assert weights < WEIGHTS
    assert main(["prune", *(each for each in options if "test_checkpoint" not in each), "--ckpt_path=last"]) == 0
    path = RUNS / "version_1" / "checkpoints" / "pruned.ckpt"
    assert int(removed(path).sum()) == round(0.95 * weights)
    pruned = torch.load(path, weights_only=True)["state_dict"]
    for name, value in source.items():
        if isinstance(value, Tensor):
            assert torch.equal(value, pruned[name]), name


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "prune needs --ckpt_path last, best or a file: untrained weights say nothing."),
        (["--ckpt_path=nowhere.ckpt"], "--ckpt_path nowhere.ckpt: no such file."),
        (["--ckpt_path=last", "--fractions=[0, 1]"], "The fraction of weights to remove (=1.0) must lie in [0, 1)."),
        (["--ckpt_path=last", "--remove=-0.5"], "The fraction of weights to remove (=-0.5) must lie in [0, 1)."),
        (["--ckpt_path=last", "--remove=0"], "--remove (=0.0) must lie in (0, 1), and remove at least one of 1,210"),
        (["--ckpt_path=last", "--remove=1e-4"], "--remove (=0.0001) must lie in (0, 1), and remove at least one"),
        (["--ckpt_path=last", "--published={2: 1}"], "The fraction of weights to remove (=2.0) must lie in [0, 1)."),
        (["--ckpt_path=last", "--remove=0.9999"], "The fraction of weights to remove (=0.9999) would leave none of"),
        (["--ckpt_path=last", "--fractions=[half]"], "fractions: expected float, got 'half'."),
        (["--ckpt_path=last", "--fractions=[]"], "--fractions (=[]) must hold at least one number."),
        (["--ckpt_path=last", "--published={a: 1}"], "--published (={'a': 1.0}): expected fractions"),
        (["--ckpt_path=last", "--draws=0"], "--draws (=0) must be at least 1."),
        (["--ckpt_path=last", "--remov=0.5"], "there is no option '--remov'. Did you mean '--remove'?"),
    ],
)
def test_mistakes_are_told_in_a_line(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["prune", *SMALL, WIDTH, *args]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"lightning-vi: {message}")
    assert [path.name for path in RUNS.iterdir()] == ["version_0"]


def test_point_estimates_have_no_noise(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--config=mlp_mnist.yaml", "--data=Digits", "--trainer.accelerator=cpu"]
    assert main(["prune", *options, "--ckpt_path=last"]) == 2
    assert capsys.readouterr().err == (
        "lightning-vi: prune needs |mu|/sigma of random weights, as BayesByBackprop has them; PointEstimate has none.\n"
    )


@pytest.mark.usefixtures("run")
def test_weights_of_another_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", *SMALL, "--model.net.hidden=[9]", "--ckpt_path=last"]) == 2
    assert "does not fit the model of this configuration: size mismatch" in capsys.readouterr().err
