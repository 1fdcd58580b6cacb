"""Every shipped configuration through the real command line, cut short."""

from pathlib import Path

import pytest

from lightning_vi import named_configs
from lightning_vi.__main__ import main

OVERLAYS = {"wandb.yaml", "tensorboard.yaml"}
CONFIGS = sorted(set(named_configs.packaged()) - OVERLAYS - {named_configs.DEFAULTS})
ON_MNIST = [name for name in CONFIGS if name.endswith("_mnist.yaml")]
SHORT = [
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=2",
    "--trainer.limit_val_batches=1",
    "--trainer.limit_test_batches=1",
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "0")


def few_draws(config: str) -> list[str]:
    return ["--model.draws=2", "--model.val_draws=2"] if config.startswith("bbb") else []


def run(config: str, *args: str) -> Path:
    """Train, then test and predict from the checkpoint; the folder of the training."""
    options = [f"--config={config}", *SHORT, *few_draws(config), *args]
    assert main(["fit", *options]) == 0
    for command in ("test", "predict"):
        assert main([command, *options, "--ckpt_path=last"]) == 0
    runs = Path("runs") / config.removesuffix(".yaml")
    assert len(list(runs.glob("*/predictions.csv"))) == 1
    return runs / "version_0"


@pytest.mark.parametrize("config", CONFIGS)
def test_runs_without_downloads(config: str) -> None:
    folder = run(config, *(["--data=Digits"] if config in ON_MNIST else []))
    figures = {path.stem for path in (folder / "figures").glob("*.png")}
    expected = {"learning_curves"}
    expected |= {"signal_to_noise"} if config.startswith("bbb") else set()
    expected |= {"predictive_bands"} if "regression" in config else {"reliability_diagram", "uncertain_images"}
    assert figures == expected
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


@pytest.mark.parametrize("config", ON_MNIST)
def test_runs_on_mnist(config: str, mnist_root: Path) -> None:
    assert ON_MNIST
    run(config, f"--data.root={mnist_root}")


def test_tensorboard_overlay() -> None:
    assert main(["fit", "--config=bbb_digits.yaml", "--config=tensorboard.yaml", *SHORT]) == 0
    assert list(Path("runs/tensorboard/bbb_digits").glob("version_0/events.*"))
    assert (Path("runs") / "bbb_digits" / "version_0" / "metrics.csv").is_file()


def test_wandb_overlay(monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    wandb.teardown()  # its service, if another test has started it, resolves paths in that test's folder
    assert main(["fit", "--config=bbb_digits.yaml", "--config=wandb.yaml", *SHORT, *few_draws("bbb")]) == 0
    wandb.finish()
    (file,) = Path("runs/wandb").glob("offline-run-*/run-*.wandb")
    content = file.read_bytes()
    for expected in (b"CosineAnnealingLR", b"limit_train_batches", b"val/nll", b"test/error", b"bbb_digits"):
        assert expected in content, expected
    assert list(Path("runs/wandb").glob("offline-run-*/files/media/images/**/*.png"))
