"""The commands from end to end on the bundled digits."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_vi import named_configs
from lightning_vi.__main__ import main
from lightning_vi.checkpoint_version import KEY
from tests.elsewhere import elsewhere as elsewhere

SMALL = [
    "--config=bbb_digits.yaml",
    "--trainer.accelerator=cpu",
    "--model.draws=3",
    "--model.val_draws=2",
    "--model.lr_scheduler=HarmonicLR",
    "--model.net.hidden=[8]",
]


def run_folder(version: int, name: str = "bbb_digits") -> Path:
    return Path("runs") / name / f"version_{version}"


def load(version: int, file: str = "last") -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(run_folder(version) / "checkpoints" / f"{file}.ckpt", weights_only=True)
    return checkpoint


def load_results(version: int) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((run_folder(version) / "results.json").read_text())
    return results


def table(out: str) -> dict[str, str]:
    rows = (line.strip().split("  ", 1) for line in out.splitlines() if line.startswith("  "))
    return {label: value.strip() for label, value in rows}


def seconds(checkpoint: dict[str, Any]) -> float:
    """Time of training as a checkpoint has it."""
    timer = next(state for key, state in checkpoint["callbacks"].items() if key.startswith("Timer"))
    time: float = timer["time_elapsed"]["train"]
    return time


def fit(*args: str) -> int:
    return main(["fit", *SMALL, *args])


def test_fit_ends_with_the_table_of_the_final_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs=2") == 0
    captured = capsys.readouterr()
    rows = table(captured.out)
    assert list(rows) == [
        "test error, draws averaged",
        "test error, posterior mean",
        "test NLL per example",
        "test ECE",
        "test ECE, adaptive bins",
        "test Brier score",
        "test AURC",
        "val error, draws averaged",
        "val error, posterior mean",
        "val NLL per example",
        "val ECE",
        "val ECE, adaptive bins",
        "val Brier score",
        "val AURC",
        "train ELBO per example",
        "objective",
        "parameters",
        "wall time",
        "checkpoint",
    ]
    assert captured.err == ""
    weights = 65 * 8 + 9 * 10
    assert rows["parameters"] == f"{2 * weights:,}"
    assert rows["checkpoint"] == str(run_folder(0) / "checkpoints" / "last.ckpt")
    with (run_folder(0) / "metrics.csv").open() as file:
        metrics = list(csv.DictReader(file))
    elbo = [float(row["train/elbo"]) for row in metrics if row["train/elbo"]]
    errors = [float(row["test/error"]) for row in metrics if row["test/error"]]
    assert rows["train ELBO per example"] == f"{elbo[-1]:.4f} nats"
    assert rows["test error, draws averaged"] == f"{errors[-1]:.2f} %"
    assert (run_folder(0) / "config.yaml").is_file()


def best_is_first() -> None:
    """A configuration, own.yaml."""
    # Both kinds of callbacks as shipped, but with the first epoch, which has the largest NLL, as the best.
    shipped = yaml.safe_load(named_configs.packaged()[named_configs.DEFAULTS].read_text())["trainer"]["callbacks"]
    for each in shipped:
        if each.get("init_args", {}).get("monitor"):
            each["init_args"]["mode"] = "max"
    Path("own.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": shipped}}))


def test_last_is_the_final_epoch_and_best_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    best_is_first()
    assert fit("--trainer.max_epochs=2", "--config=own.yaml") == 0
    assert (load(0, "best")["epoch"], load(0)["epoch"]) == (0, 1)
    assert table(capsys.readouterr().out)["checkpoint"].endswith("last.ckpt")


def test_results_have_the_curves_of_all_epochs_whatever_is_tested() -> None:
    best_is_first()
    assert fit("--trainer.max_epochs=3", "--config=own.yaml", "--test_checkpoint=best") == 0
    assert load(0, "best")["epoch"] == 0
    curves = load_results(0)["curves"]
    assert list(curves["train/loss"]) == list(curves["val/nll"]) == ["1", "2", "3"]


def test_a_last_that_is_not_of_the_final_epoch_is_not_reported(capsys: pytest.CaptureFixture[str]) -> None:
    # Lightning's `save_last` beside a monitor saves the last epoch that was the best.
    saver = {"class_path": "ModelCheckpoint", "init_args": {"monitor": "val/nll", "mode": "max", "save_last": True}}
    Path("own.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": [saver]}}))
    assert fit("--trainer.max_epochs=2", "--config=own.yaml", "--trainer.enable_progress_bar=false") == 0
    assert load(0)["epoch"] == 0
    stale = table(capsys.readouterr().out)
    assert stale["checkpoint"] == "none"
    assert fit("--trainer.max_epochs=2", "--trainer.enable_progress_bar=false") == 0
    final = table(capsys.readouterr().out)
    assert stale["test NLL per example"] == final["test NLL per example"]


def test_every_fit_has_its_folder_and_last_goes_on_in_the_newest(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs=4") == 0
    assert fit("--trainer.max_epochs=2") == 0
    seconds_of_two_epochs = seconds(load(1))
    assert fit("--trainer.max_epochs=4", "--ckpt_path=last") == 0
    assert [run_folder(version).is_dir() for version in range(3)] == [True, True, False]
    straight, resumed = load(0), load(1)
    assert straight["epoch"] == resumed["epoch"] == 3
    assert straight["global_step"] == resumed["global_step"]
    for name in ("model.mu", "model.rho"):
        assert torch.equal(straight["state_dict"][name], resumed["state_dict"][name]), name
    trained, results = table(capsys.readouterr().out), load_results(1)
    # What such a run may have lost is its test.
    assert fit("--trainer.max_epochs=4", "--ckpt_path=last") == 0
    captured = capsys.readouterr()
    assert "has been trained for 4 epochs already. Testing it." in captured.err
    again = table(captured.out)
    assert {name: again[name] for name in again if name.startswith(("test", "val"))} == {
        name: trained[name] for name in trained if name.startswith(("test", "val"))
    }
    assert load_results(1)["curves"] == results["curves"] == load_results(0)["curves"]
    # The time of all epochs, over resumptions; a test adds nothing to it.
    assert load_results(1)["seconds"] == pytest.approx(results["seconds"], abs=0.1)
    assert results["seconds"] == pytest.approx(seconds(resumed), abs=0.2)
    assert results["seconds"] > seconds_of_two_epochs > 0.0
    assert fit("--trainer.max_epochs=4", "--ckpt_path=last", "--test_checkpoint=best") == 2
    assert "needs no more training. Test the best one: test --ckpt_path best." in capsys.readouterr().err
    assert fit("--trainer.max_epochs=3", "--ckpt_path=last") == 2
    assert "has been trained for 4 epochs already; --trainer.max_epochs (=3) must be larger" in capsys.readouterr().err


def test_test_validate_and_predict_from_a_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs=2") == 0
    fitted = table(capsys.readouterr().out)
    assert main(["test", *SMALL, "--ckpt_path=last"]) == 0
    tested = table(capsys.readouterr().out)
    assert tested == {name: fitted[name] for name in fitted if not name.startswith(("train", "val", "wall"))}
    assert main(["validate", *SMALL, "--ckpt_path=best"]) == 0
    validated = table(capsys.readouterr().out)
    assert "val error, draws averaged" in validated
    assert validated.keys() == {name for name in fitted if not name.startswith(("train", "test", "wall"))}
    assert validated["checkpoint"].endswith("best.ckpt")
    assert main(["predict", *SMALL, "--ckpt_path=last"]) == 0
    (file,) = Path("runs").glob("*/*/predictions.csv")
    assert len(file.read_text().splitlines()) == 1 + 360


def test_settings_other_than_the_checkpoints_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs=1") == 0
    capsys.readouterr()
    assert main(["test", *SMALL, "--ckpt_path=last", "--model.draws=2", "--model.optimizer.lr=7"]) == 0
    path = run_folder(0) / "checkpoints" / "last.ckpt"
    assert capsys.readouterr().err == f"Note: {path} was trained with draws 3 (here 2).\n"
    assert main(["test", *SMALL, "--ckpt_path=last", "--model.net.hidden=[9]"]) == 2
    assert "does not fit the model of this configuration: size mismatch" in capsys.readouterr().err


def test_the_chosen_checkpoint_is_tested(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs=1", "--test_checkpoint=best", "--trainer.enable_progress_bar=false") == 0
    assert table(capsys.readouterr().out)["checkpoint"].endswith("best.ckpt")
    assert fit("--trainer.max_epochs=1", "--test_checkpoint=none") == 0
    assert not any(label.startswith("test") for label in table(capsys.readouterr().out))


def test_without_checkpoints_the_final_weights_are_tested(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs=1", "--trainer.enable_checkpointing=false") == 0
    rows = table(capsys.readouterr().out)
    assert rows["checkpoint"] == "none"
    assert "test error, draws averaged" in rows
    assert fit("--trainer.enable_checkpointing=false", "--test_checkpoint=best") == 2
    assert "no ModelCheckpoint of trainer.callbacks has a monitor" in capsys.readouterr().err


def test_a_trial_run_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.fast_dev_run=true") == 0
    assert table(capsys.readouterr().out)["checkpoint"] == "none"
    assert not Path("runs").exists()


def test_the_time_that_a_training_may_take() -> None:
    assert fit("--trainer.max_epochs=3", "--trainer.max_time=00:00:00:00") == 0
    assert load_results(0)["epochs"] == 0


def test_without_validation(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs=1", "--data.validation_size=0") == 0
    assert not (run_folder(0) / "checkpoints" / "best.ckpt").exists()
    capsys.readouterr()
    assert main(["validate", *SMALL, "--data.validation_size=0", "--ckpt_path=last"]) == 2
    assert "validation_size" in capsys.readouterr().err
    assert fit("--trainer.max_epochs=1", "--data.validation_size=0", "--test_checkpoint=best") == 2
    assert "nothing was validated" in capsys.readouterr().err


def test_a_wrong_monitor_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    stopping = ["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val/foo"]
    assert fit("--trainer.max_epochs=1", *stopping) == 2
    assert "Early stopping conditioned on metric `val/foo`" in capsys.readouterr().err


def test_a_new_training_starts_from_the_weights_of_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs=2") == 0
    assert fit("--trainer.max_epochs=1", "--weights=last", "--model.optimizer.lr=0", "--seed_everything=7") == 0
    first, second = load(0), load(1)
    assert second["epoch"] == 0
    for name, value in first["state_dict"].items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, second["state_dict"][name]), name
    capsys.readouterr()
    for options, message in {
        ("--weights=nowhere.ckpt",): "--weights nowhere.ckpt: no such file",
        ("--weights=last", "--model.net.hidden=[9]"): "does not fit the model of this configuration",
    }.items():
        assert fit(*options) == 2
        assert message in capsys.readouterr().err


def test_the_best_is_that_of_all_starts() -> None:
    best_is_first()
    assert fit("--trainer.max_epochs=1", "--config=own.yaml", "--test_checkpoint=none") == 0
    assert fit("--trainer.max_epochs=3", "--config=own.yaml", "--ckpt_path=last", "--test_checkpoint=best") == 0
    assert load(0, "best")["epoch"] == 0


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
def test_a_run_that_has_stopped_early_does_not_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    stopping = (
        "--trainer.callbacks+={class_path: EarlyStopping, init_args: {monitor: val/nll, divergence_threshold: 0}}"
    )
    assert fit("--trainer.max_epochs=3", stopping) == 0
    assert load_results(0)["epochs"] == 1
    capsys.readouterr()
    assert fit("--trainer.max_epochs=3", stopping, "--ckpt_path=last") == 0
    assert "has been trained for 1 epochs already. Testing it." in capsys.readouterr().err
    assert load_results(0)["epochs"] == 1
    assert fit("--trainer.max_epochs=3", "--ckpt_path=last") == 0  # without the callback
    assert load_results(0)["epochs"] == 3


def test_a_failed_start_leaves_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs=1", "--data.batch_size=100000") == 2
    assert "batch_size (=100000)" in capsys.readouterr().err
    assert not run_folder(0).exists()


def test_a_folder_of_another_run_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_epochs=1", "--test_checkpoint=none") == 0
    before = load(0)["state_dict"]
    assert fit("--trainer.max_epochs=1", "--trainer.logger.version=0") == 2
    assert "version_0 holds a run already" in capsys.readouterr().err
    assert torch.equal(load(0)["state_dict"]["model.mu"], before["model.mu"])


STOPPING = "--trainer.callbacks+={class_path: EarlyStopping, init_args: {monitor: nothing}}"


@pytest.mark.parametrize("mistake", ["--model.net.hidden=[9]", STOPPING])  # noticed before and behind the first step
def test_a_run_that_cannot_go_on_is_left_as_it_was(mistake: str) -> None:
    assert fit("--trainer.max_epochs=1") == 0
    before = {path: path.read_bytes() for path in run_folder(0).rglob("*") if path.is_file()}
    assert {"config.yaml", "hparams.yaml", "metrics.csv", "results.json"} <= {path.name for path in before}
    assert fit("--trainer.max_epochs=2", "--ckpt_path=last", mistake) == 2
    assert {path: path.read_bytes() for path in run_folder(0).rglob("*") if path.is_file()} == before
    assert fit("--trainer.max_epochs=2", "--ckpt_path=last") == 0
    assert load(0)["epoch"] == 1


def test_a_checkpoint_from_before_formats_had_numbers_goes_on_in_a_folder_of_its_own() -> None:
    assert fit("--trainer.max_epochs=2", "--name=alone", "--model.net.dropout=0.3", "--test_checkpoint=none") == 0
    assert fit("--trainer.max_epochs=1", "--model.net.dropout=0.3") == 0
    metrics, saved = (run_folder(0) / "metrics.csv").read_bytes(), load(0)
    for name in (KEY, "metrics_file", "callback_metrics", "stopped_early"):
        del saved[name]
    sums, (saved["random_state"],) = saved.pop("epoch_sums"), saved.pop("random_states")
    saved["epoch_totals"] = {"sums": sums["sums"][0], "steps": sums["steps"]}
    torch.save(saved, run_folder(0) / "checkpoints" / "last.ckpt")
    assert fit("--trainer.max_epochs=2", "--ckpt_path=last", "--model.net.dropout=0.3", "--test_checkpoint=none") == 0
    assert (run_folder(0) / "metrics.csv").read_bytes() == metrics
    alone = torch.load(run_folder(0, "alone") / "checkpoints" / "last.ckpt", weights_only=True)
    assert torch.equal(load(1)["state_dict"]["model.mu"], alone["state_dict"]["model.mu"])
