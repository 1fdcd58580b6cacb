"""What Lightning costs a GAN's iteration: ``fit`` against a bare loop of the same steps, for the networks of gan_mnist.

An iteration is one step of each network on 100 images, with fused Adam; plain, and with R1 at every fourth step and an
exponential moving average of the generator.
"""

import time
from functools import partial
from statistics import median

import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import TensorDataset

from benchmarks.pairs import Row
from lightning_vi.adversarial import R1
from lightning_vi.datamodules.in_memory import EpochShuffle, InMemoryLoader
from lightning_vi.modules import GAN
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian

EXAMPLES, BATCH, PIXELS, NOISE, DECAY = 20_000, 100, 784, 64, 0.998
ADAM = partial(torch.optim.Adam, lr=1e-4, betas=(0.5, 0.999), fused=True)


class BareLoop(Callback):
    """After each epoch of the Trainer, trains networks of the same sizes for one epoch without it."""

    def __init__(self, loader: InMemoryLoader, whole: bool) -> None:
        self.loader, self.whole = loader, whole
        self.generator = nn.Sequential(
            nn.Linear(NOISE, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 512), nn.BatchNorm1d(512), nn.ReLU(),
            nn.Linear(512, PIXELS), nn.Sigmoid(),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Linear(PIXELS, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1)
        )
        self.optimizers = ADAM(self.generator.parameters()), ADAM(self.discriminator.parameters())
        self.average = AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(DECAY), use_buffers=True)
        self.times: dict[str, list[float]] = {"ours": [], "reference": []}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop it, and time the bare loop."""
        self.times["ours"].append(time.perf_counter() - self.start)
        start = time.perf_counter()
        generators, discriminators = self.optimizers
        for step, (real,) in enumerate(self.loader):
            with torch.no_grad():
                fake = self.generator(torch.randn(len(real), NOISE))
            loss = F.softplus(-self.discriminator(real)).mean() + F.softplus(self.discriminator(fake)).mean()
            if self.whole and step % 4 == 0:
                real.requires_grad_()
                (slope,) = torch.autograd.grad(self.discriminator(real).sum(), real, create_graph=True)
                loss = loss + 4 * 0.5 * slope.square().sum(dim=-1).mean()
            discriminators.zero_grad()
            loss.backward()
            discriminators.step()
            self.discriminator.requires_grad_(False)
            loss = -F.softplus(self.discriminator(self.generator(torch.randn(len(real), NOISE)))).mean()
            generators.zero_grad()
            loss.backward()
            generators.step()
            self.discriminator.requires_grad_(True)
            if self.whole:
                self.average.update_parameters(self.generator)
        self.times["reference"].append(time.perf_counter() - start)


def rows(epochs: int) -> list[Row]:
    """Epochs of 200 iterations each."""
    return [row(epochs, whole) for whole in (False, True)]


def row(epochs: int, whole: bool) -> Row:
    """A plain iteration, or a whole one."""
    loader = InMemoryLoader(TensorDataset(torch.rand(EXAMPLES, PIXELS)), BATCH, EpochShuffle(EXAMPLES, seed=0))
    leaky = partial(nn.LeakyReLU, 0.2)
    module = GAN(
        (PIXELS,),
        partial(MLP, hidden=[256, 512], normalization=nn.BatchNorm1d),
        partial(MLP, hidden=[512, 256], activation=leaky),
        Gaussian(NOISE),
        penalty=R1(1.0, every=4) if whole else None,
        ema=DECAY if whole else None,
        generator_optimizer=ADAM,
        discriminator_optimizer=ADAM,
    )
    bare = BareLoop(loader, whole)
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
    name = "GAN iteration with R1 and EMA" if whole else "GAN iteration"
    return Row(f"{name}, fit against a bare loop", "64-256-512-784, 784-512-256-1", ours, reference, 1.15)
