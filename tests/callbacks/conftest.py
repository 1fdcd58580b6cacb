from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger

from lightning_vi.datamodules import Curve, Digits
from lightning_vi.likelihoods import Gaussian
from lightning_vi.modules import BayesByBackprop, PointEstimate
from lightning_vi.networks import MLP


@pytest.fixture
def make_trainer(tmp_path: Path) -> Callable[..., Trainer]:
    """A quiet trainer on one CPU, whose run folder is `<tmp_path>/runs/test/version_0`."""

    def make(*callbacks: Callback, **settings: Any) -> Trainer:
        defaults: dict[str, Any] = {
            "accelerator": "cpu",
            "devices": 1,
            "max_epochs": 2,
            "log_every_n_steps": 1,
            "logger": CSVLogger(tmp_path / "runs", name="test", version=0),
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "enable_checkpointing": False,
            "default_root_dir": tmp_path,
        }
        return Trainer(callbacks=list(callbacks), **{**defaults, **settings})

    return make


@pytest.fixture
def classification() -> tuple[LightningModule, LightningDataModule]:
    """Bayesian digits."""
    seed_everything(0, verbose=False)
    net = partial(MLP, hidden=(16,))
    adam = partial(torch.optim.Adam, lr=1e-2)
    data = Digits(batch_size=128, eval_batch_size=100, seed=0)
    module = BayesByBackprop(net, data.input_shape, data.target_size, draws=4, optimizer=adam, compile=False)
    return module, data


@pytest.fixture
def regression() -> tuple[LightningModule, LightningDataModule]:
    """A Bayesian curve."""
    seed_everything(0, verbose=False)
    data = Curve(size=256, seed=0)
    module = BayesByBackprop(
        partial(MLP, hidden=(16,)),
        data.input_shape,
        data.target_size,
        likelihood=Gaussian(0.1),
        draws=4,
        optimizer=partial(torch.optim.Adam, lr=1e-2),
        compile=False,
    )
    return module, data


@pytest.fixture
def point_estimate() -> tuple[LightningModule, LightningDataModule]:
    """Digits without uncertainty about the weights, with dropout."""
    seed_everything(0, verbose=False)
    data = Digits(batch_size=128, seed=0)
    module = PointEstimate(partial(MLP, hidden=(16,), dropout=0.5), data.input_shape, data.target_size)
    return module, data
