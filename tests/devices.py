"""What each of one or more processes trains and notes: `python -m tests.devices DEVICES FILE`, for `test_two_devices`.

Where numbers are compared to the last digits, double precision and noise that is the same for all: the same draw of the
weights on every device, latent variables that hardly vary, generators that start from 0. Elsewhere every device has its
own noise, and the gradients' means over many epochs are compared.
"""

import json
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_vi.adversarial import R1
from lightning_vi.bayesian import BayesianModule
from lightning_vi.checkpoint_io import WholeFileCheckpointIO
from lightning_vi.datamodules import Digits, StochasticBinarisation
from lightning_vi.errors import UserError
from lightning_vi.modules import GAN, VAE, BayesByBackprop, DeepEnsemble, MeanField
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.weighting import Geometric
from tests.bare_trainer import trainer

BLOCK = 314  # 1,257 examples are four of them and one that is left: with two devices, one has an empty last minibatch
EPOCHS = 30  # of which gradients are compared
Noted = dict[str, Any]


class Zeros(Gaussian):
    """The same noise for every example."""

    def from_normal(self, normal: Tensor) -> Tensor:
        return torch.zeros_like(normal)


class OneDraw(Callback):
    """Gives every minibatch of every device the same weight noise."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        model = pl_module.networks if isinstance(pl_module, DeepEnsemble) else pl_module.model
        assert isinstance(model, BayesianModule)
        model.noise.stream = model.noise.position = 0


class Gradients(Callback):
    """Notes the mean gradient of each epoch's steps, as the optimizers see it: averaged over devices."""

    def __init__(self) -> None:
        self.sums: dict[nn.Parameter, Tensor] = {}
        self.epochs: list[list[float]] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.sums = {each: torch.zeros_like(each) for each in pl_module.parameters() if each.requires_grad}

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        for each in (parameter for group in optimizer.param_groups for parameter in group["params"]):
            assert each.grad is not None
            self.sums[each] += each.grad

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        steps = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
        self.epochs.append((torch.cat([each.flatten() for each in self.sums.values()]) / steps).tolist())


class Saved(Callback):
    """Saves a checkpoint inside the second epoch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if trainer.global_step == 7:
            trainer.save_checkpoint(self.path)


class CountedCheckpointIO(WholeFileCheckpointIO):
    """Counts the files that this process has written."""

    written = 0

    def save_checkpoint(self, *args: Any, **options: Any) -> None:
        self.written += 1
        super().save_checkpoint(*args, **options)


def bayes(devices: int = 1, block: int = BLOCK, lr: float = 0.2, hidden: int = 16) -> tuple[BayesByBackprop, Digits]:
    """A module, and data of which a minibatch has `block` examples on all devices."""
    torch.manual_seed(1)
    data = Digits(batch_size=block // devices, eval_batch_size=70, seed=1)
    optimizer = partial(torch.optim.SGD, lr=lr, momentum=0.5)
    module = BayesByBackprop(
        partial(MLP, hidden=[hidden]),
        data.input_shape,
        data.target_size,
        posterior=SoftplusScale(0.05),
        weighting=Geometric(),
        optimizer=optimizer,
        draws=5,
    )
    return module, data


def vae(
    devices: int = 1, block: int = BLOCK, lr: float = 1e-3, narrow: bool = True, fresh: bool = True
) -> tuple[VAE, Digits]:
    """See `bayes`."""
    torch.manual_seed(1)
    data = Digits(
        batch_size=block // devices, eval_batch_size=70, seed=1, transform=StochasticBinarisation() if fresh else None
    )
    net = partial(MLP, hidden=[16], activation=nn.Tanh)
    optimizer = partial(torch.optim.SGD, lr=lr)
    module = VAE(data.input_shape, net, net, 3, optimizer=optimizer, draws=2000, val_draws=20)
    if narrow:
        with torch.no_grad():
            output(module).weight[3:].zero_()
            output(module).bias[3:].fill_(-60.0)
    return module, data


def output(module: VAE) -> nn.Linear:
    """The last layer of the encoder; the log variances are its second half."""
    encoder = module.model.encoders[0]
    assert isinstance(encoder, MLP)
    layer = encoder[-1]
    assert isinstance(layer, nn.Linear)
    return layer


def gan(
    devices: int = 1, block: int = BLOCK, lr: float = 0.1, noise: Gaussian = Zeros(3), **options: Any
) -> tuple[GAN, Digits]:
    """See `bayes`."""
    torch.manual_seed(1)
    data = Digits(batch_size=block // devices, eval_batch_size=70, seed=1)
    net = partial(MLP, hidden=[16], activation=nn.Tanh)
    optimizer = partial(torch.optim.SGD, lr=lr)
    arguments: dict[str, Any] = {"generator": net, "discriminator": net, "penalty": R1(every=2), "ema": 0.9} | options
    module = GAN(
        data.input_shape, noise=noise, generator_optimizer=optimizer, discriminator_optimizer=optimizer, **arguments
    )
    return module, data


def fit(
    module: LightningModule, data: Digits, devices: int = 1, ckpt_path: Path | None = None, **options: Any
) -> Trainer:
    """Train in double precision."""
    strategy = "ddp_find_unused_parameters_true" if isinstance(module, GAN) else "ddp"
    parallel = {"devices": devices, "strategy": strategy} if devices > 1 else {"devices": 1}
    run = trainer(**{"max_epochs": 2, "precision": "64-true", "num_sanity_val_steps": 0, **parallel, **options})
    module.double()  # Lightning does so behind the reading of a checkpoint
    run.fit(module, data, ckpt_path=ckpt_path, weights_only=True)
    return run


def figures(run: Trainer) -> dict[str, float]:
    """What was logged once per epoch, or by a test."""
    return {name: float(value) for name, value in run.callback_metrics.items() if not name.endswith("_step")}


def weights(module: nn.Module) -> list[float]:
    """All parameters."""
    values: list[float] = torch.cat([each.detach().flatten() for each in module.parameters()]).tolist()
    return values


def first_noise() -> list[float]:
    """What dropout masks, latent variables and generators are drawn from, left as it is."""
    with torch.random.fork_rng(devices=[]):
        values: list[float] = torch.randn(3).tolist()
    return values


def bayes_of_one_draw(devices: int, file: Path) -> Noted:
    module, data = bayes(devices)
    disk = CountedCheckpointIO()
    run = fit(module, data, devices, callbacks=[OneDraw(), Saved(file.with_name("inside.ckpt"))], plugins=[disk])
    noted = {"figures": figures(run), "weights": weights(module), "files": disk.written}
    module.setup("fit")
    noise = module.model.epsilon()[:3].tolist()
    # Of shards that differ in size: 181 examples in blocks of 26.
    ragged = Digits(batch_size=100, eval_batch_size=13 * 2 // devices, validation_size=181, seed=1)
    run.validate(module, ragged, verbose=False)
    return noted | {"scores": figures(run), "noise": noise}


def bayes_accumulated(devices: int, file: Path) -> Noted:
    """Of several devices, half as many examples in twice as many minibatches."""
    module, data = bayes(devices, 2 * BLOCK // devices)
    run = fit(module, data, devices, callbacks=[OneDraw()], accumulate_grad_batches=devices)
    return {"figures": figures(run), "weights": weights(module)}


def ensemble_of_one_draw(devices: int, file: Path) -> Noted:
    """Each member with posterior and minibatches of its own."""
    torch.manual_seed(1)
    data = Digits(batch_size=BLOCK // devices, eval_batch_size=70, seed=1)
    mean_field = MeanField(posterior=SoftplusScale(0.05), weighting=Geometric(), draws=5)
    optimizer = partial(torch.optim.SGD, lr=0.2, momentum=0.5)
    net = partial(MLP, hidden=[16])
    module = DeepEnsemble(
        net, data.input_shape, data.target_size, 2, mean_field=mean_field, own_orders=True, optimizer=optimizer
    )
    run = fit(module, data, devices, callbacks=[OneDraw()])
    noted = {"figures": figures(run), "weights": weights(module)}
    run.test(module, data, verbose=False)
    return noted | {"scores": figures(run)}


def vae_of_narrow_draws(devices: int, file: Path) -> Noted:
    module, data = vae(devices)
    run = fit(module, data, devices, limit_val_batches=0)
    noted = {"figures": figures(run), "weights": weights(module), "noise": first_noise()}
    with torch.no_grad():  # wide enough that the importance weights have a variance
        output(module).bias[3:].fill_(0.0)
    run.test(module, data, verbose=False)
    return noted | {"scores": figures(run)}


def gan_of_one_noise(devices: int, file: Path) -> Noted:
    module, data = gan(devices)
    run = fit(module, data, devices)
    noted = {"figures": figures(run), "weights": weights(module), "steps": module.steps, "noise": first_noise()}
    run.test(module, data, verbose=False)
    return noted | {"scores": figures(run)}


def gan_of_own_noise(devices: int, file: Path) -> Noted:
    """With batch normalisation, which needs more than one example on each device."""
    normalised = partial(MLP, hidden=[16], normalization=nn.BatchNorm1d)
    module, data = gan(devices, 60, noise=Gaussian(3), generator=normalised, discriminator_steps=2)
    plain: dict[str, Any] = {"strategy": "ddp"} if devices > 1 else {"precision": "bf16-true"}
    refused = [
        refusal(lambda: fit(*gan(devices), devices, **plain)),
        refusal(lambda: fit(*gan(devices, generator=normalised), devices)),
    ]
    run = fit(module, data, devices)
    return {"figures": figures(run), "weights": weights(module), "steps": module.steps, "refused": refused}


def resumed(make: Callable[[], tuple[LightningModule, Digits]], devices: int, path: Path) -> Noted:
    """Of a run that goes on inside an epoch, and of the one that it goes on with."""
    module, data = make()
    run = fit(module, data, devices, callbacks=[Saved(path)])
    noted = {"weights": weights(module), "figures": training_figures(run)}
    module, data = make()
    run = fit(module, data, devices, ckpt_path=path)
    return noted | {"resumed weights": weights(module), "resumed figures": training_figures(run)}


def training_figures(run: Trainer) -> dict[str, float]:
    """Those of the training set; the scores' single precision rounds a first validation otherwise than a second."""
    return {name: value for name, value in figures(run).items() if name.startswith("train/")}


def refusal(action: Callable[[], object]) -> str:
    """What the user is told."""
    try:
        action()
    except UserError as error:
        return str(error)
    raise AssertionError


def gradients(module: LightningModule, data: Digits, devices: int = 1, **options: Any) -> Noted:
    """Of a module whose optimizer does not move it, the gradients of many epochs."""
    noted = Gradients()
    fit(module, data, devices, max_epochs=EPOCHS, limit_val_batches=0, callbacks=[noted], **options)
    return {"epochs": noted.epochs}


CASES: dict[str, Callable[[int, Path], Noted]] = {
    "bayes": bayes_of_one_draw,
    "accumulated": bayes_accumulated,
    "ensemble": ensemble_of_one_draw,
    "vae": vae_of_narrow_draws,
    "gan": gan_of_one_noise,
    "normalised gan": gan_of_own_noise,
    "resumed vae": lambda devices, file: resumed(
        lambda: vae(devices, narrow=False), devices, file.with_name("vae.ckpt")
    ),
    "resumed gan": lambda devices, file: resumed(
        lambda: gan(devices, noise=Gaussian(3)), devices, file.with_name("gan.ckpt")
    ),
    "gradients of bayes": lambda devices, _: gradients(*bayes(devices, lr=0.0, hidden=4), devices),
    "gradients of vae": lambda devices, _: gradients(*vae(devices, lr=0.0, narrow=False, fresh=False), devices),
    "gradients of gan": lambda devices, _: gradients(*gan(devices, lr=0.0, noise=Gaussian(3), ema=None), devices),
}


def z_scores(one: Any, two: Any) -> Any:
    """Of the difference of two means of independent rows, (rows, coordinates) each; 0 where both are the same."""
    variance = one.var(axis=0, ddof=1) / len(one) + two.var(axis=0, ddof=1) / len(two)
    difference = one.mean(axis=0) - two.mean(axis=0)
    return difference / np.sqrt(variance + 1e-24)


def all_cases(devices: int, file: Path) -> dict[str, Noted]:
    """What this process notes of each case; a checkpoint goes into the file's folder."""
    return {name: case(devices, file) for name, case in CASES.items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    noted = all_cases(int(sys.argv[1]), Path(sys.argv[2]))
    Path(f"{sys.argv[2]}.{torch.distributed.get_rank()}").write_text(json.dumps(noted))
