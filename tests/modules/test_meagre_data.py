"""Minibatches of one example, one class, images that never vary: every figure and every weight stays finite."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.bounds import DReG
from lightning_vi.likelihoods import Gaussian, HeteroscedasticGaussian
from lightning_vi.modules import GAN, VAE, Autoencoder, BayesByBackprop, DeepEnsemble, MeanField, PointEstimate
from lightning_vi.networks import MLP
from lightning_vi.priors import ScaleMixture
from tests.bare_trainer import trainer

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:You defined a `validation_step` but have no `val_dataloader`",
    "ignore:Posterior collapse", "ignore:Trying to infer the `batch_size`",
)  # fmt: skip
NET = partial(MLP, hidden=[6])
ADAM = partial(torch.optim.Adam, lr=1e-2)
FAST = partial(torch.optim.Adam, lr=0.3)  # so that a width that falls without end falls far
BLUNDELL = ScaleMixture(0.25, 1.0, math.exp(-8.0))
SIZE = 9
INPUTS, LABELS = torch.rand(SIZE, 4, generator=torch.Generator().manual_seed(0)), torch.arange(SIZE) % 3
NONE = torch.zeros(SIZE, dtype=torch.int64)


MODULES: dict[str, Callable[[], LightningModule]] = {
    "bayes": lambda: BayesByBackprop(NET, (4,), 3, prior=BLUNDELL, optimizer=ADAM, compile=False, draws=3),
    "point": lambda: PointEstimate(NET, (4,), 3, optimizer=ADAM),
    "ensemble": lambda: DeepEnsemble(NET, (4,), 3, 2, mean_field=MeanField(BLUNDELL, draws=2), optimizer=ADAM),
    "vae": lambda: VAE((4,), NET, NET, 2, draws=5, optimizer=ADAM),
    "narrow": lambda: VAE((4,), NET, NET, 2, HeteroscedasticGaussian(), draws=5, optimizer=FAST),
    "learned": lambda: VAE((4,), NET, NET, 2, Gaussian(learn=True), objective=DReG(5), draws=5, optimizer=ADAM),
    "autoencoder": lambda: Autoencoder((4,), NET, NET, 2, optimizer=ADAM),
    "gan": lambda: GAN((4,), NET, NET, ema=0.5),
}


@pytest.mark.parametrize("make", MODULES.values(), ids=MODULES.keys())
@pytest.mark.parametrize(
    ("inputs", "labels", "batch_size"),
    [
        pytest.param(INPUTS, LABELS, 1, id="batches of one"),
        pytest.param(INPUTS, NONE, 4, id="a last batch of one, one class"),
        pytest.param(torch.zeros(SIZE, 4), LABELS, 3, id="black images"),
        pytest.param(torch.ones(SIZE, 4), NONE, 3, id="white images, one class"),
    ],
)
def test_training_and_test_stay_finite(
    make: Callable[[], LightningModule], inputs: torch.Tensor, labels: torch.Tensor, batch_size: int
) -> None:
    torch.manual_seed(0)
    module, loader = make(), DataLoader(TensorDataset(inputs, labels), batch_size)
    run = trainer(max_epochs=3)
    run.fit(module, loader)
    trained = dict(run.callback_metrics)
    (tested,) = run.test(module, loader, verbose=False)
    assert all(math.isfinite(value) for value in (*map(float, trained.values()), *tested.values()))
    assert all(bool(each.isfinite().all()) for each in module.parameters())
