"""Every shipped configuration through the real command line, cut short."""

import json
from pathlib import Path

import pytest

from lightning_vi import named_configs
from lightning_vi.__main__ import main
from lightning_vi.table.command import read
from lightning_vi.table.rows import select
from lightning_vi.table.runs import runs_of
from tests.elsewhere import elsewhere as elsewhere
from tests.own_files import cancer, diabetes, write

OVERLAYS = {"wandb.yaml", "tensorboard.yaml"}
TABLES = [name for name in named_configs.packaged() if name.startswith("table1") and "/" not in name]
ROWS = [name for name in named_configs.packaged() if name.startswith("table1/")]
CONFIGS = sorted(set(named_configs.packaged()) - OVERLAYS - {named_configs.DEFAULTS} - {*TABLES, *ROWS})
WITHOUT_VALIDATION = {"vae_mnist.yaml", "vae2_mnist.yaml", "iwae_mnist.yaml"}
WITHOUT_REJECTION = {"bbb_pruning_mnist.yaml", "mnist_classifier.yaml"}
ON_MNIST = [name for name in CONFIGS if "mnist" in name]
SHORT = [
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=1",
    "--trainer.check_val_every_n_epoch=1",
    "--trainer.limit_train_batches=2",
    "--trainer.limit_val_batches=1",
    "--trainer.limit_test_batches=1",
]


def few_draws(config: str) -> list[str]:
    if config == "ensemble_digits.yaml":
        return ["--model.mean_field.draws=2", "--model.mean_field.val_draws=2"]
    return ["--model.draws=2", "--model.val_draws=2"] if config.startswith(("bbb", "vae", "iwae")) else []


def is_gan(config: str) -> bool:
    return "gan_" in config


def small_gan(config: str) -> list[str]:
    """Five minibatches, for a generator's step behind every fifth, and few images, which take long to measure."""
    if not is_gan(config):
        return []
    last = "--trainer.callbacks.init_args"
    few = [] if "1d" in config else [f"{last}.count=20", f"{last}.val_count=20"]
    return ["--trainer.limit_train_batches=5", *few]


def own_file(config: str) -> list[str]:
    """For configurations without data of their own, a file."""
    if "csv" not in config:
        return []
    regression = "regression" in config
    path = write(diabetes() if regression else cancer().drop_columns(["patient"]), Path("own.csv"))
    return [f"--data.path={path}", f"--data.target={'progression' if regression else 'diagnosis'}"]


def expected_figures(config: str) -> set[str]:
    figures = {"learning_curves"}
    if is_gan(config):
        images = {"samples_over_epochs", "prior_samples", "nearest_training_images"}
        return figures | ({"learned_map"} if "1d" in config else images)
    if config.startswith(("ae", "vae", "iwae")):
        figures |= {"reconstructions", "latent_codes"}
        figures |= set() if config.startswith("ae") else {"prior_samples", "latent_usage"}
        figures |= {"latent_manifold"} if "manifold" in config else {"interpolations"}
        figures |= {"latent_traversals"} if "interpolations" in figures and not config.startswith("ae") else set()
        return figures
    figures |= {"signal_to_noise"} if config.startswith("bbb") else set()
    if "csv" in config:
        return figures | (set() if "regression" in config else {"reliability_diagram"})
    if "regression" in config:
        return figures | {"predictive_bands", "pit_histogram"}
    figures |= {"reliability_diagram", "uncertain_images"}
    return figures if config in WITHOUT_REJECTION else figures | {"accuracy_rejection"}


def run(config: str, *args: str) -> Path:
    """Train, then test and predict from the checkpoint; the folder of the training."""
    options = [f"--config={config}", *SHORT, *few_draws(config), *small_gan(config), *args]
    assert main(["fit", *options]) == 0
    assert main(["test", *options, "--ckpt_path=last"]) == 0
    runs = Path("runs") / config.removesuffix(".yaml")
    predicts = not is_gan(config)
    assert main(["predict", *options, "--ckpt_path=last"]) == (0 if predicts else 2)
    assert len(list(runs.glob("*/predictions.csv"))) == predicts
    return runs / "version_0"


@pytest.mark.parametrize("config", CONFIGS)
def test_runs_without_downloads(config: str) -> None:
    smaller = ["--model.generator.init_args.net.init_args.image_size=[8,8]"] if config.startswith("dcgan") else []
    folder = run(config, *own_file(config), *(["--data=Digits", *smaller] if config in ON_MNIST else []))
    figures = {path.stem for path in (folder / "figures").glob("*.png")}
    assert figures == expected_figures(config)
    validated = config not in WITHOUT_VALIDATION and not is_gan(config)
    names = {"best.ckpt", "last.ckpt"} if validated else {"last.ckpt"}
    assert {path.name for path in (folder / "checkpoints").iterdir()} == names


@pytest.mark.parametrize("config", ON_MNIST)
def test_runs_on_mnist(config: str, mnist_root: Path) -> None:
    assert ON_MNIST
    run(config, f"--data.root={mnist_root}")


@pytest.mark.parametrize("config", ROWS)
def test_a_row_of_table1_trains_the_network_that_the_table_states(config: str, mnist_root: Path) -> None:
    # Two hidden layers of U units: 784 U + U + U^2 + U + 10 U + 10 weights.
    units = int(config.removesuffix(".yaml").rpartition("_")[2])
    weights = {400: 478_410, 800: 1_276_810, 1200: 2_395_210}[units] * (5 if "ensemble" in config else 1)
    draws = ["--model.draws=2", "--model.val_draws=2"] if "bbb" in config else []
    assert main(["fit", f"--config={config}", *SHORT, *draws, f"--data.root={mnist_root}"]) == 0
    (results,) = Path("runs").glob(f"{config.removesuffix('.yaml')}/version_0/results.json")
    assert json.loads(results.read_text())["weights"] == weights


@pytest.mark.parametrize("config", ROWS)
def test_a_row_of_table1_runs_without_mnist(config: str) -> None:
    draws = ["--model.draws=2", "--model.val_draws=2"] if "bbb" in config else []
    assert main(["fit", f"--config={config}", *SHORT, *draws, "--data=Digits"]) == 0


@pytest.mark.parametrize("config", TABLES)
def test_tables_can_be_read_and_name_configurations_that_are_there(config: str) -> None:
    table = read(config)
    for run in runs_of(table):
        assert run.epochs > 0
        assert f"table1/{run.row.configs[0].removeprefix('table1/')}" in ROWS


def test_a_row_of_the_papers_protocol_runs() -> None:
    table = read("table1_paper.yaml")
    for name in ("sgd-400", "bbb-mixture-400"):
        (run,) = runs_of(select(table, [name], [0]))
        draws = ["--model.draws=2", "--model.val_draws=2"] if "bbb" in name else []
        assert main([*run.prepare(), *SHORT, *draws, "--data=Digits"]) == 0


def test_a_setting_of_the_papers_grid_runs() -> None:
    runs = runs_of(read("table1_paper_grid.yaml"))
    assert len(runs) == 3 + 3 + 3 * 3 + 3 * 4 * 3 * 3 * 3
    assert main([*runs[-1].prepare(), *SHORT, "--model.draws=2", "--model.val_draws=2", "--data=Digits"]) == 0


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
    wandb.teardown()  # which waits until all is on the disk
    (file,) = Path("runs/wandb").glob("offline-run-*/run-*.wandb")
    content = file.read_bytes()
    for expected in (b"CosineLR", b"limit_train_batches", b"val/nll", b"test/error", b"bbb_digits"):
        assert expected in content, expected
    assert list(Path("runs/wandb").glob("offline-run-*/files/media/images/**/*.png"))
