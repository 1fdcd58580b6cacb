"""What Lightning costs a GAN's iteration: ``fit`` against a bare loop of the same steps, for the networks of gan_mnist.

An iteration is one step of each network on 100 images, with fused Adam, without penalty and moving average.
"""

import time
from functools import partial
from statistics import median

import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.utils.data import TensorDataset

from benchmarks.pairs import Row
from lightning_vi.datamodules.in_memory import EpochShuffle, InMemoryLoader
from lightning_vi.modules import GAN
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian

EXAMPLES, BATCH, PIXELS, NOISE = 20_000, 100, 784, 64
ADAM = partial(torch.optim.Adam, lr=1e-4, betas=(0.5, 0.999), fused=True)


class BareLoop(Callback):
    """After each epoch of the Trainer, trains networks of the same sizes for one epoch without it."""

    def __init__(self, loader: InMemoryLoader) -> None:
        self.loader = loader
        self.generator = nn.Sequential(
            nn.Linear(NOISE, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 512), nn.BatchNorm1d(512), nn.ReLU(),
            nn.Linear(512, PIXELS), nn.Sigmoid(),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Linear(PIXELS, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1)
        )
        self.optimizers = ADAM(self.generator.parameters()), ADAM(self.discriminator.parameters())
        self.times: dict[str, list[float]] = {"ours": [], "reference": []}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop it, and time the bare loop."""
        self.times["ours"].append(time.perf_counter() - self.start)
        start = time.perf_counter()
        generators, discriminators = self.optimizers
        for (real,) in self.loader:
            with torch.no_grad():
                fake = self.generator(torch.randn(len(real), NOISE))
            loss = F.softplus(-self.discriminator(real)).mean() + F.softplus(self.discriminator(fake)).mean()
            discriminators.zero_grad()
            loss.backward()
            discriminators.step()
            self.discriminator.requires_grad_(False)
            loss = -F.softplus(self.discriminator(self.generator(torch.randn(len(real), NOISE)))).mean()
            generators.zero_grad()
            loss.backward()
            generators.step()
            self.discriminator.requires_grad_(True)
        self.times["reference"].append(time.perf_counter() - start)


def rows(epochs: int) -> list[Row]:
    """One epoch of 200 iterations each."""
    loader = InMemoryLoader(TensorDataset(torch.rand(EXAMPLES, PIXELS)), BATCH, EpochShuffle(EXAMPLES, seed=0))
    leaky = partial(nn.LeakyReLU, 0.2)
    module = GAN(
        (PIXELS,),
        partial(MLP, hidden=[256, 512], normalization=nn.BatchNorm1d),
        partial(MLP, hidden=[512, 256], activation=leaky),
        Gaussian(NOISE),
        generator_optimizer=ADAM,
        discriminator_optimizer=ADAM,
    )
    bare = BareLoop(loader)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs + 1,
        logger=False,
        callbacks=[bare],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, loader)
    iterations = len(loader)
    ours, reference = (1e3 * median(bare.times[side][1:]) / iterations for side in ("ours", "reference"))
    return [Row("GAN iteration, fit against a bare loop", "64-256-512-784, 784-512-256-1", ours, reference, 1.15)]
