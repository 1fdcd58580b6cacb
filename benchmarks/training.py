"""What Lightning and the data cost: ``fit`` against a bare loop of the same steps, on 784-400-400-10."""

import copy
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import TensorDataset

from benchmarks.pairs import Row
from lightning_vi.callbacks import ProgressBar
from lightning_vi.datamodules.in_memory import EpochShuffle, InMemoryLoader
from lightning_vi.modules import BayesByBackprop
from lightning_vi.networks import MLP
from lightning_vi.objectives import Epoch
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.priors import Gaussian

EXAMPLES, BATCH = 50_000, 128
ADAM = partial(torch.optim.Adam, lr=1e-3, fused=True)


class BareLoop(Callback):
    """After each epoch of the Trainer, trains a copy of its module for one epoch without it."""

    def __init__(self, module: BayesByBackprop, loader: InMemoryLoader) -> None:
        self.module, self.loader = copy.deepcopy(module), loader
        self.optimizer = ADAM(self.module.parameters())
        self.trainer_times: list[float] = []
        self.bare_times: list[float] = []
        self.data_times: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; the first epoch compiles and is not counted."""
        self.module.model.compiled = True
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop it, and time the bare loop and the bare data."""
        self.trainer_times.append(time.perf_counter() - self.start)
        start = time.perf_counter()
        epoch = Epoch(EXAMPLES, EXAMPLES, len(self.loader))
        for i, (inputs, targets) in enumerate(self.loader):
            self.optimizer.zero_grad()
            self.module.objective((inputs, targets), i, epoch).loss.backward()
            self.optimizer.step()
        self.bare_times.append(time.perf_counter() - start)
        start = time.perf_counter()
        for _ in self.loader:
            pass
        self.data_times.append(time.perf_counter() - start)


def rows(epochs: int) -> list[Row]:
    """One epoch each: the Trainer with the shipped progress bar and CSV logger, the bare loop, the data alone."""
    data = TensorDataset(torch.randn(EXAMPLES, 784), torch.randint(10, (EXAMPLES,)))
    loader = InMemoryLoader(data, BATCH, EpochShuffle(EXAMPLES, seed=0))
    module = BayesByBackprop(
        partial(MLP, hidden=[400, 400]),
        (784,),
        10,
        prior=Gaussian(1.0),
        posterior=SoftplusScale(),
        optimizer=ADAM,
        compile=True,
    )
    bare = BareLoop(module, InMemoryLoader(data, BATCH, EpochShuffle(EXAMPLES, seed=1)))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=epochs + 1,
            logger=CSVLogger(Path(folder)),
            callbacks=[ProgressBar(), bare],
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader)
    fit, loop, epoch_of_data = (
        1e3 * median(times[1:]) for times in (bare.trainer_times, bare.bare_times, bare.data_times)
    )
    return [
        Row("fit, one epoch, against a bare loop", "784-400-400-10", fit, loop, 1.25),
        Row("data, one epoch (50k x 784), against a bare loop's epoch", "784-400-400-10", epoch_of_data, loop),
    ]
