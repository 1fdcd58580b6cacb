import subprocess
import sys
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch import LightningDataModule, LightningModule, Trainer

from lightning_vi import cli, named_configs
from lightning_vi.__main__ import main
from tests.elsewhere import elsewhere as elsewhere


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    """The configuration that would run."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["fit", *args, "--print_config"])
    assert stop.value.code == 0
    config: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return config


def classes(specs: list[dict[str, Any]]) -> list[str]:
    return [spec["class_path"].rpartition(".")[2] for spec in specs]


def test_starts_from_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    defaults = yaml.safe_load(named_configs.packaged()[named_configs.DEFAULTS].read_text())["trainer"]
    config = printed(capsys, "--model=PointEstimate", "--model.net=MLP", "--data=Digits")["trainer"]
    assert config["max_epochs"] == defaults["max_epochs"]
    assert classes(config["callbacks"]) == classes(defaults["callbacks"])
    assert classes(config["logger"]) == ["CSVLogger"]


@pytest.mark.parametrize("order", [["bbb_digits", "wandb"], ["wandb", "bbb_digits"]])
def test_overlays_merge_in_any_order(order: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    config = printed(capsys, *(f"--config={name}.yaml" for name in order))
    assert sorted(classes(config["trainer"]["logger"])) == ["CSVLogger", "WandbLogger"]
    assert "SignalToNoise" in classes(config["trainer"]["callbacks"])
    assert "ModelCheckpoint" in classes(config["trainer"]["callbacks"])
    assert config["name"] == "bbb_digits"


def test_later_ones_and_options_override(capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.yaml").write_text("trainer: {max_epochs: 3}\ndata: {init_args: {batch_size: 32}}\n")
    config = printed(capsys, "-c", "bbb_digits.yaml", "-c", "own.yaml", "--data.validation_size=90")
    assert config["trainer"]["max_epochs"] == 3
    assert config["data"]["init_args"]["batch_size"] == 32
    assert config["data"]["init_args"]["validation_size"] == 90
    assert config["model"]["class_path"] == "lightning_vi.modules.BayesByBackprop"


def test_a_printed_configuration_runs_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    config = printed(capsys, "--config=bbb_digits.yaml")
    Path("printed.yaml").write_text(yaml.safe_dump(config))
    assert printed(capsys, "--config=printed.yaml") == config


@pytest.mark.parametrize("command", cli.METHODS)
def test_help_of_a_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: lightning-vi [options] {command}")
    assert ("--test_checkpoint" in out) == (command == "fit")
    assert "--weights_only" not in out


@pytest.mark.parametrize(
    ("option", "path"),
    [
        ("--model.prior=Gaussian", "lightning_vi.priors.Gaussian"),
        ("--model.likelihood=Gaussian", "lightning_vi.likelihoods.Gaussian"),
        ("--model.net=MLP", "lightning_vi.networks.MLP"),
        ("--model.posterior=SoftplusScale", "lightning_vi.posteriors.SoftplusScale"),
        ("--model.estimator=Flipout", "lightning_vi.estimators.Flipout"),
        ("--model.weighting=Geometric", "lightning_vi.weighting.Geometric"),
        ("--model.lr_scheduler=HarmonicLR", "lightning_vi.schedules.HarmonicLR"),
        ("--model.optimizer=SGD", "torch.optim.SGD"),
        ("--model.net.activation=Sigmoid", "torch.nn.Sigmoid"),
        ("--data=Curve", "lightning_vi.datamodules.Curve"),
        ("--data.scaling=Standardise", "lightning_vi.datamodules.Standardise"),
    ],
)
def test_short_names(option: str, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    value: Any = printed(capsys, "--config=bbb_digits.yaml", option)
    for key in option.partition("=")[0].removeprefix("--").split("."):
        value = value.get("init_args", value)[key]
    assert value["class_path"] == path


def test_only_data_is_read_from_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}

    @wraps(Trainer.fit)
    def fit(trainer: object, model: LightningModule, datamodule: LightningDataModule, **kwargs: Any) -> None:
        called.update(kwargs)

    monkeypatch.setattr(Trainer, "fit", fit)
    assert main(["fit", "--config=bbb_digits.yaml", "--test_checkpoint=none"]) == 0
    assert called == {"ckpt_path": None, "weights_only": True}


def test_a_class_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the installed command, which unlike `python -m` does not put the folder on the path itself."""
    (tmp_path / "mynet.py").write_text(
        "from torch import nn\n"
        "class Mine(nn.Sequential):\n"
        "    def __init__(self, input_shape, output_size, width=8):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, output_size))\n"
    )
    code = "import sys; sys.path = [p for p in sys.path if p]; from lightning_vi.__main__ import main; sys.exit(main())"
    options = ["--trainer.max_epochs=1", "--model.draws=2", "--model.net.class_path=mynet.Mine", "--model.net.width=7"]
    command = [sys.executable, "-P", "-c", code, "fit", "--config=bbb_digits.yaml", *options]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "1,070" in result.stdout


def test_a_module_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config=bbb_digits.yaml", "--model.net.class_path=nomod.Nine", "--model.net.width=7"]) == 2
    assert capsys.readouterr().err == "lightning-vi: model.net: no module 'nomod' to import.\n"
