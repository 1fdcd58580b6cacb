"""An epoch by the Trainer: the routines of lightning-uq-box and torch-uncertainty against ours, on the same data."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, default_collate

from benchmarks.pairs import Row
from benchmarks.peers import lightning_uq_box_routine, torch_uncertainty_layers
from benchmarks.peers.failures import Failure, attempt
from benchmarks.peers.setting import BATCH, EXAMPLES, sizes
from benchmarks.step import ADAM, PRIORS
from lightning_vi.datamodules.in_memory import EpochShuffle, InMemoryLoader
from lightning_vi.modules import BayesByBackprop
from lightning_vi.networks import MLP
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.priors import Prior

UNITS, STEPS = 400, 100


class _Clock(Callback):
    """Seconds of each epoch of training."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop it."""
        self.seconds.append(time.perf_counter() - self.start)


class _Loader(LightningDataModule):
    """A data module of one loader for training."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__()
        self.loader = loader

    def train_dataloader(self) -> DataLoader[Any]:
        """The loader."""
        return self.loader


def _second_epoch(trainer: Callable[..., Trainer], module: LightningModule, data: Any) -> float:
    """Milliseconds of the second epoch; the first compiles, allocates and fills caches."""
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=2,
            logger=CSVLogger(folder),
            callbacks=[clock],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(module, data)
    return 1e3 * clock.seconds[1]


def ours(data: TensorDataset, prior: Prior) -> float:
    """``BayesByBackprop`` with compiled draws, reading from memory as our data modules do."""
    module = BayesByBackprop(
        partial(MLP, hidden=[UNITS, UNITS]),
        (784,),
        10,
        prior=prior,
        posterior=SoftplusScale(),
        optimizer=ADAM,
        compile=True,
    )
    return _second_epoch(Trainer, module, InMemoryLoader(data, BATCH, EpochShuffle(STEPS * BATCH, seed=0)))


def _named(examples: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    inputs, targets = default_collate(examples)
    return {"input": inputs, "target": targets}


def uq_box(data: TensorDataset) -> float:
    """``BNN_VI_ELBO_Classification``; it asks for a data module whose batches are dictionaries."""
    module = lightning_uq_box_routine.module(sizes(UNITS), nn.CrossEntropyLoss())
    return _second_epoch(Trainer, module, _Loader(DataLoader(data, BATCH, shuffle=True, collate_fn=_named)))


def uncertainty(data: TensorDataset) -> float:
    """``ClassificationRoutine`` with ``ELBOLoss`` of one sample, by ``TUTrainer``."""
    from torch_uncertainty import TUTrainer
    from torch_uncertainty.losses import ELBOLoss
    from torch_uncertainty.routines import ClassificationRoutine

    net = torch_uncertainty_layers.network(sizes(UNITS))
    loss = ELBOLoss(net, nn.CrossEntropyLoss(), kl_weight=1 / EXAMPLES, num_samples=1)
    routine = ClassificationRoutine(net, num_classes=10, loss=loss, optim_recipe=ADAM(net.parameters()))
    return _second_epoch(TUTrainer, routine, _Loader(DataLoader(data, BATCH, shuffle=True)))


def rows(repeats: int, failures: list[Failure]) -> list[Row]:
    """Milliseconds per epoch of 100 steps on random data."""
    data = TensorDataset(torch.randn(STEPS * BATCH, 784), torch.randint(10, (STEPS * BATCH,)))
    gaussian, mixture = PRIORS
    result = []
    for name, prior, peer in (("lightning-uq-box", gaussian, uq_box), ("torch-uncertainty", mixture, uncertainty)):
        label = f"epoch, {prior}, {name}"
        times = attempt(label, partial(_turns, data, PRIORS[prior][0], peer, repeats), failures)
        if times is not None:
            result.append(Row(label, f"784-{UNITS}-{UNITS}-10, {STEPS} steps", *times))
    return result


def _turns(
    data: TensorDataset, prior: Prior, peer: Callable[[TensorDataset], float], repeats: int
) -> tuple[float, float]:
    """Medians of ours and of the peer's, which take turns."""
    times = [(ours(data, prior), peer(data)) for _ in range(repeats)]
    return median(mine for mine, _ in times), median(theirs for _, theirs in times)
