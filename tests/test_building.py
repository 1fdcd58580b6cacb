"""Objects built from a configuration: links, names, hyperparameters, and why one could not be built."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.loggers import CSVLogger

from lightning_vi import cli
from lightning_vi.errors import UserError
from lightning_vi.modules import BayesByBackprop
from lightning_vi.session import Session

HERE = Path(__file__).stem


class OwnModule(LightningModule):
    """A module of somebody else, without the linked arguments."""

    def __init__(self, width: int = 3, **kwargs: Any) -> None:
        assert not kwargs
        super().__init__()
        self.save_hyperparameters()


class OwnData(LightningDataModule):
    """A datamodule of somebody else, which does not tell its shapes."""


class Buggy(OwnModule):
    """A module with a bug."""

    def __init__(self) -> None:
        raise KeyError("bug")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What `fit` would train, once it is called."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "0")
    caught: dict[str, Any] = {}

    def fit(self: Session, *args: Any) -> None:
        caught.update(model=self.model, trainer=self.trainer)

    monkeypatch.setattr(Session, "fit", fit)
    return caught


DIGITS = ["fit", "--config=bbb_digits.yaml", "--trainer.accelerator=cpu"]


def test_shapes_come_from_the_data(built: dict[str, Any]) -> None:
    cli.run(DIGITS)
    assert (built["model"].input_shape, built["model"].target_size) == ((1, 8, 8), 10)
    assert built["model"].hparams["input_shape"] == (1, 8, 8)
    cli.run(["fit", "--config=bbb_regression.yaml"])
    assert (built["model"].input_shape, built["model"].target_size) == ((1,), 1)


def test_a_model_without_shapes_is_left_alone(built: dict[str, Any]) -> None:
    cli.run(["fit", f"--model={HERE}.OwnModule", "--data=Digits"])
    assert set(built["model"].hparams) == {"_class_path", "_instantiator", "width"}


def test_data_without_shapes_need_them_given(built: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="BayesByBackprop needs input_shape and target_size, which the datamodule"):
        cli.run([*DIGITS, f"--data={HERE}.OwnData"])
    cli.run([*DIGITS, f"--data={HERE}.OwnData", "--model.input_shape=[3]", "--model.target_size=2"])
    assert built["model"].input_shape == (3,)


def test_loggers_are_named_after_the_run(built: dict[str, Any]) -> None:
    cli.run([*DIGITS, "--config=tensorboard.yaml", "--name=other"])
    assert [logger.name for logger in built["trainer"].loggers] == ["other", "other"]
    cli.run([*DIGITS, "--name=other", "--trainer.logger=CSVLogger", "--trainer.logger.save_dir=a"])
    assert isinstance(built["trainer"].logger, CSVLogger)
    assert built["trainer"].logger.name == "lightning_logs"


def test_a_copy_of_the_model_is_one_of_the_model_alone(built: dict[str, Any]) -> None:
    cli.run(DIGITS)
    built["trainer"].unpicklable = (number for number in range(1))
    for copied in (copy.deepcopy(built["model"]), pickle.loads(pickle.dumps(built["model"]))):
        (optimizer,), _ = copied.configure_optimizers()
        assert type(optimizer) is torch.optim.Adam


def test_a_bug_is_not_a_mistake(built: dict[str, Any]) -> None:
    with pytest.raises(KeyError, match="bug"):
        cli.run(["fit", f"--model={HERE}.Buggy", "--data=Digits"])


def test_rebuilt_from_a_checkpoint_in_another_process(built: dict[str, Any], tmp_path: Path) -> None:
    cli.run([*DIGITS, "--model.prior=ScaleMixture", "--model.prior.pi=0.25"])
    model: BayesByBackprop = built["model"]
    built["trainer"].strategy.connect(model)
    built["trainer"].save_checkpoint(tmp_path / "a.ckpt")
    code = """if True:
        import torch
        from lightning_vi.modules import BayesByBackprop
        model = BayesByBackprop.load_from_checkpoint("a.ckpt", weights_only=True)
        assert (model.input_shape, model.target_size, model.model.prior.pi) == ((1, 8, 8), 10, 0.25)
        optimizers, schedulers = model.configure_optimizers()
        assert optimizers[0].defaults["lr"] == 0.01, optimizers
        assert type(schedulers[0]).__name__ == "CosineLR"
        print(model.model.mu.double().sum().item())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(model.model.mu.double().sum().item(), rel=1e-12)
