"""Are the numbers of a device those of the processor, does a run resume to the bit, does a recorded step draw anew."""

import copy
import tempfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from torch.overrides import TorchFunctionMode

from benchmarks.gpu.captured import Captured, DeviceNoise
from benchmarks.gpu.plan import Plan
from benchmarks.gpu.report import Report
from benchmarks.gpu.training import BATCH, CLASSES, PIXELS, Mode, Training, bayesian, negative_elbo_of, network
from lightning_vi.bayesian import BayesianModule
from lightning_vi.datamodules import Digits
from lightning_vi.modules import GAN, VAE, Autoencoder, BayesByBackprop, DeepEnsemble, PointEstimate
from lightning_vi.networks import MLP
from lightning_vi.noise import NoiseStream
from lightning_vi.noise_priors import Gaussian as GaussianNoise
from lightning_vi.priors import Gaussian, Prior, ScaleMixture

# Sums of some hundred numbers in float32 in another order. The narrow part of a scale mixture magnifies the rounding
# of a weight by 1 / sigma2.
TOLERANCE = 1e-4
NET = partial(MLP, hidden=[32, 32])
MIXTURE = ScaleMixture(0.5, 1.0, 0.05)
MODULES: dict[str, Callable[[], LightningModule]] = {
    "BayesByBackprop": partial(BayesByBackprop, NET, (1, 8, 8), 10, prior=MIXTURE, optimizer=partial(SGD, lr=0.1)),
    "PointEstimate": partial(PointEstimate, NET, (1, 8, 8), 10, optimizer=partial(SGD, lr=0.1)),
    "DeepEnsemble": partial(DeepEnsemble, NET, (1, 8, 8), 10, members=3, optimizer=partial(SGD, lr=0.1)),
    "Autoencoder": partial(Autoencoder, (1, 8, 8), NET, NET, code_size=8, optimizer=partial(SGD, lr=0.01)),
    "VAE": partial(VAE, (1, 8, 8), NET, NET, latent_size=8, optimizer=partial(SGD, lr=0.01)),
    "GAN": partial(
        GAN,
        (1, 8, 8),
        NET,
        NET,
        GaussianNoise(8),
        generator_optimizer=partial(SGD, lr=0.1),
        discriminator_optimizer=partial(SGD, lr=0.1),
    ),
}


def run(plan: Plan, report: Report) -> None:
    """All checks."""
    with report.check("noise: the processor's", rehearsal=not plan.cuda) as check:
        here = NoiseStream(7, 3, 11).normal(100_001, torch.device("cpu"))
        there = NoiseStream(7, 3, 11).normal(100_001, plan.device).cpu()
        distance = float((here - there).abs().max())
        check.require(distance < 1e-5, f"largest difference {distance:.1e}")
    for name, make in MODULES.items():
        with report.check(f"{name}: first step as on the processor", rehearsal=not plan.cuda) as check:
            (loss, gradient), (other_loss, other_gradient) = (
                first_step(make, device) for device in (torch.device("cpu"), plan.device)
            )
            check.require(apart(other_loss, loss) < TOLERANCE, f"losses {apart(other_loss, loss):.1e} apart")
            distance = apart(other_gradient, gradient)
            check.require(distance < TOLERANCE, f"gradients {distance:.1e} apart")
    with report.check("BayesByBackprop: resumed inside an epoch, to the bit") as check:
        whole, resumed = resumption(plan.device)
        same = all(torch.equal(whole[name], resumed[name]) for name in whole)
        check.require(same and len(whole) == len(resumed), f"{sum(each.numel() for each in whole.values()):,} numbers")
    with report.check("recorded noise: the stream's next draws", rehearsal=not plan.cuda) as check:
        recorded, expected = replayed_noise(plan)
        check.require(not torch.equal(recorded[0], recorded[1]), "two replays differ")
        check.require(torch.equal(recorded, expected), f"{len(expected)} replays are draws 5 to {4 + len(expected)}")
    priors: dict[str, Prior] = {"Gaussian prior": Gaussian(1.0), "scale mixture": MIXTURE}
    for name, prior in priors.items():
        with report.check(f"recorded steps: as one by one, {name}", rehearsal=not plan.cuda) as check:
            distance = apart(weights_after(plan, prior, "captured"), weights_after(plan, prior, "eager"))
            check.require(distance < 1e-3, f"updates of 5 steps {distance:.1e} apart")
    for name, prior in {} if plan.quick else priors.items():
        with report.check(f"compiled draws: as eager ones, {name}") as check:
            for what, distance in compiled_and_eager(plan, prior).items():
                check.require(distance < TOLERANCE, f"{what} {distance:.1e} apart")
        with report.check(f"recorded steps with compiled draws: as one by one, {name}", not plan.cuda) as check:
            distance = apart(weights_after(plan, prior, "captured", True), weights_after(plan, prior, "eager"))
            check.require(distance < 1e-3, f"updates of 5 steps {distance:.1e} apart")


def apart(found: Tensor, expected: Tensor) -> float:
    """Relative distance in the Euclidean norm; infinite where a number is not finite."""
    distance = float((found.double() - expected.double()).norm() / expected.double().norm())
    return distance if distance < torch.inf else torch.inf  # not a number is not less


class NoiseOfTheProcessor(TorchFunctionMode):
    """Draws what PyTorch would draw on another device by the processor's generator: the same latents everywhere."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """See the class."""
        options = dict(kwargs or {})
        if func in (torch.randn, torch.rand) and options.get("generator") is None:
            device = options.pop("device", None)
            drawn = func(*args, **options)
            return drawn if device is None else drawn.to(device)
        return func(*args, **options)


class Gradients(Callback):
    """Keeps the losses and the gradients of the first step of each optimizer, in float64 on the processor."""

    def __init__(self) -> None:
        self.losses: list[Tensor] = []
        self.gradients: list[Tensor] = []

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Keep the loss."""
        self.losses.append(loss.detach().cpu().double())

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Keep the gradients."""
        for group in optimizer.param_groups:
            self.gradients += [each.grad.detach().cpu().double().flatten() for each in group["params"]]


def first_step(make: Callable[[], LightningModule], device: torch.device) -> tuple[Tensor, Tensor]:
    """Losses and gradients of a module's first step through the Trainer, flat."""
    torch.manual_seed(0)
    module, seen = make(), Gradients()
    with NoiseOfTheProcessor():
        trainer(device, callbacks=[seen], max_steps=1).fit(module, Digits(batch_size=64, seed=0))
    return torch.stack(seen.losses), torch.cat(seen.gradients)


def trainer(device: torch.device, **options: Any) -> Trainer:
    """A trainer on one device that validates nothing and writes nothing."""
    silent = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
    return Trainer(
        **{
            "accelerator": device.type,
            "devices": 1,
            "enable_checkpointing": False,
            "limit_val_batches": 0,
            **silent,
            **options,
        }
    )


def resumption(device: torch.device) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights of a run of two epochs, and of one that went on from its checkpoint inside the second."""
    make = partial(BayesByBackprop, NET, (1, 8, 8), 10, prior=MIXTURE, optimizer=partial(Adam, lr=1e-2, fused=True))

    def trained(steps: int, path: Path | None, seed: int, *savers: Callback) -> Trainer:
        torch.manual_seed(seed)
        run = trainer(
            device, callbacks=list(savers), enable_checkpointing=bool(savers), max_steps=steps, deterministic=True
        )
        run.fit(make(), datamodule=Digits(seed=0), ckpt_path=path, weights_only=True)
        return run

    deterministic = torch.are_deterministic_algorithms_enabled()
    try:
        with tempfile.TemporaryDirectory() as folder:
            whole = trained(20, None, 0, ModelCheckpoint(folder, "stopped", every_n_train_steps=13))
            resumed = trained(20, Path(folder) / "stopped.ckpt", 1)
    finally:
        torch.use_deterministic_algorithms(deterministic)
    first, second = (
        {name: value.detach() for name, value in each.lightning_module.named_parameters()} for each in (whole, resumed)
    )
    return first, second


def replayed_noise(plan: Plan, draws: int = 3) -> tuple[Tensor, Tensor]:
    """What replays of a recorded draw give, and the draws that the stream would give, each (draws, 1000)."""
    stream = NoiseStream(7, 3, 5)
    noise, target = DeviceNoise(stream, plan.device), torch.empty(1000, device=plan.device)
    replay = Captured(lambda: target.copy_(noise.normal(1000, plan.device)), plan.device, lambda: [noise.state])
    found = []
    for _ in range(draws):
        replay()
        found.append(target.clone())
    return torch.stack(found), torch.stack([stream.normal(1000, plan.device) for _ in range(draws)])


@cache
def images(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Random inputs (count, 784) and classes (count,), the same on every device."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(count, PIXELS, generator=generator)
    return inputs.to(device), torch.randint(CLASSES, (count,), generator=generator).to(device)


def weights_after(plan: Plan, prior: Prior, mode: Mode, compiled: bool = False, steps: int = 5) -> Tensor:
    """How a posterior's parameters have moved after some steps, flat."""
    torch.manual_seed(0)
    model = bayesian(network(32), prior, plan, compiled)
    before = torch.cat([model.mu, model.rho]).detach().clone()
    inputs, labels = images(2 * BATCH, plan.device)
    training = Training(model, negative_elbo_of(model, len(inputs)), inputs, labels, mode)
    for _ in range(steps):
        training.step()
    return torch.cat([model.mu, model.rho]).detach() - before


def compiled_and_eager(plan: Plan, prior: Prior) -> dict[str, float]:
    """How far compiled loops are from eager ones: weights, complexity, and gradients by mu and rho."""
    torch.manual_seed(0)
    eager = BayesianModule(network(32), prior, seed=0).to(plan.device)
    fast = copy.deepcopy(eager)
    if not fast.compile_draws():
        raise RuntimeError("The loops over the weights could not be compiled.")
    results = []
    for model in (eager, fast):
        draw = model.draw()
        flat = nn.utils.parameters_to_vector(draw.weights.values())
        gradients = torch.autograd.grad(draw.kl + flat.square().sum(), [model.mu, model.rho])
        results.append({"weights": flat, "complexity": draw.kl, "gradients": torch.cat(gradients)})
    return {name: apart(results[1][name].detach(), value.detach()) for name, value in results[0].items()}
