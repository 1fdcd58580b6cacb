"""Generative adversarial networks, trained by the lecture's algorithm."""

import math
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel
from torchmetrics import MeanMetric

from lightning_vi.adversarial import AdversarialLoss, Minimax, Penalty
from lightning_vi.errors import UserError
from lightning_vi.generator_model import GeneratorModel
from lightning_vi.likelihoods.likelihood import at_least_float32
from lightning_vi.modules.epoch_record import EpochRecord, log_epoch
from lightning_vi.modules.finite_steps import FiniteSteps, was_skipped
from lightning_vi.modules.hyperparameters import keep_plain
from lightning_vi.modules.inputs import evaluation_noise, inputs_of, loss_of_none
from lightning_vi.modules.optimization import schedule
from lightning_vi.modules.supervised import SPLITS, Batch
from lightning_vi.modules.training_moments import start_at_training_moments
from lightning_vi.modules.uncounted import uncounted
from lightning_vi.networks import Network
from lightning_vi.noise_priors import NoisePrior, Uniform

# What an epoch's record holds of each minibatch; those of the generator are 0 where it has not stepped.
FIGURES = ("discriminator_loss", "real", "fake", "generator_loss", "generator_steps")


class GAN(LightningModule):
    """A generator G and a discriminator D with losses of their own, that step in turn.

    Each minibatch of data makes a step of the discriminator, with as many fresh generated examples. Behind every k-th
    of them the generator makes one, with fresh noise again: so k steps see k different minibatches, for any k. An
    iteration that an epoch's end cuts goes on in the next epoch; nothing is dropped.

    `global_step`, and so `max_steps`, `every_n_train_steps` and the x-axis of the loggers, counts the generator's
    steps.

    Logs once per epoch, as means over its steps: ``train/discriminator_loss``, ``train/generator_loss``,
    ``train/real``, the judgement D(x) of data, and ``train/fake``, that of generated examples; the last two as
    ``val/...`` and ``test/...`` too, from networks in evaluation mode. At every `log_every_n_steps`-th step of the
    generator the loggers get ``train/discriminator_loss_step``, ``train/generator_loss_step`` and the number
    ``train/discriminator_steps``.

    Args:
        input_shape: Shape of one x, without the batch.
        generator: Network of G: a class or function of ``(input_shape, output_size)``, from (D,) to prod(input_shape).
        discriminator: Network of D's outputs, from `input_shape` to 1.
        noise: p(z).
        loss: Of both, by default the lecture's.
        penalty: On the discriminator's slope; without one, most short trainings end with a discriminator that has won.
        discriminator_steps: k.
        bounded: Whether x lies in [0, 1]: then the generator ends in a sigmoid.
        ema: Decay of an exponential moving average of the generator's weights for each of its steps, which is then what
            is sampled and judged; None for none.
        gradient_clip_norm: Largest norm of the gradient of each network; None for any.
        generator_optimizer: Takes the parameters and gives an optimizer.
        discriminator_optimizer: The same.
        generator_lr_scheduler: Takes the optimizer and gives a scheduler, which steps once per epoch.
        discriminator_lr_scheduler: The same.

    Raises:
        UserError: For numbers out of their ranges.

    References:
        Goodfellow et al. 2014, Generative Adversarial Nets, algorithm 1. Lecture 13, generative adversarial networks.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        generator: Network,
        discriminator: Network,
        noise: NoisePrior = Uniform(size=100),  # it has no state, and the command line shows what stands here
        loss: AdversarialLoss = Minimax(),
        penalty: Penalty | None = None,
        discriminator_steps: int = 1,
        bounded: bool = True,
        ema: float | None = None,
        gradient_clip_norm: float | None = None,
        generator_optimizer: OptimizerCallable = Adam,
        discriminator_optimizer: OptimizerCallable = Adam,
        generator_lr_scheduler: LRSchedulerCallable | None = None,
        discriminator_lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__()
        if discriminator_steps < 1:
            raise UserError(f"GAN: discriminator_steps (={discriminator_steps}) must be at least 1.")
        if ema is not None and not 0.0 < ema < 1.0:
            raise UserError(f"GAN: ema (={ema}) must lie in (0, 1).")
        if gradient_clip_norm is not None and not 0.0 < gradient_clip_norm < math.inf:
            raise UserError(f"GAN: gradient_clip_norm (={gradient_clip_norm}) must be positive and finite.")
        self.automatic_optimization = False
        self.input_shape = tuple(input_shape)
        model = GeneratorModel(self.input_shape, generator, noise, bounded)
        # Before the generator itself, since pictures draw the first that they find.
        self.average = None if ema is None else _average(model, ema)
        self.generator = model
        self.discriminator = (
            discriminator if isinstance(discriminator, nn.Module) else discriminator(self.input_shape, 1)
        )
        self.loss, self.penalty, self.discriminator_steps = loss, penalty, discriminator_steps
        self.gradient_clip_norm = gradient_clip_norm
        self.optimizers_of = (generator_optimizer, discriminator_optimizer)
        self.lr_schedulers_of = (generator_lr_scheduler, discriminator_lr_scheduler)
        # Steps made so far, by checkpoint over resumptions.
        self.steps = {"generator": 0, "discriminator": 0}
        self._record = EpochRecord(figures=len(FIGURES))
        self.judgements = nn.ModuleDict(
            {f"{split}_{name}": MeanMetric(nan_strategy="disable") for split in SPLITS for name in ("real", "fake")}
        )
        self.terms: dict[str, Tensor] = {}  # see `FiniteSteps`
        keep_plain(self)

    @property
    def sampled(self) -> GeneratorModel:
        """The generator to sample: its moving average, if there is one."""
        if self.average is None:
            return self.generator
        assert isinstance(self.average.module, GeneratorModel)
        return self.average.module

    def configure_callbacks(self) -> list[Callback]:
        """See `EpochRecord` and `FiniteSteps`."""
        return [*self._record.unless_there(self.trainer), *FiniteSteps.unless_there(self.trainer)]

    def on_fit_start(self) -> None:
        """Refuse what would train wrongly.

        Raises:
            UserError: For weights of 16 bits, or a distributed strategy that expects a gradient of every parameter at
                each backward pass.
        """
        if self.trainer.precision in ("bf16-true", "16-true"):
            raise UserError(
                f"GAN: --trainer.precision (={self.trainer.precision}) must leave the weights in 32 bits. "
                "Set bf16-mixed or 16-mixed."
            )
        strategy = self.trainer.strategy
        if isinstance(strategy, DDPStrategy) and not strategy._ddp_kwargs.get("find_unused_parameters"):
            raise UserError(
                "GAN: a backward pass gives gradients to one of the two networks. "
                "Set --trainer.strategy ddp_find_unused_parameters_true."
            )

    def on_train_start(self) -> None:
        """See `start_at_training_moments`.

        Raises:
            UserError: For a training that cannot go well to its end.
        """
        self._require_steps()
        start_at_training_moments(self.generator, self.trainer)

    def _require_steps(self) -> None:
        epoch, epochs, k = self._record.epoch, self.trainer.max_epochs, self.discriminator_steps
        if epochs is not None and 0 <= epochs * epoch.batches < k:
            raise UserError(
                f"GAN: discriminator_steps (={k}) must be at most the {epochs * epoch.batches} minibatches of the "
                "training: the generator would never step."
            )
        loader = self.trainer.train_dataloader
        assert loader is not None  # `epoch_of` has read its size
        left = epoch.visited - (epoch.batches - 1) * int(loader.batch_size) * epoch.devices
        if left < 2 * epoch.devices and any(isinstance(each, nn.BatchNorm1d) for each in self.modules()):
            raise UserError(
                f"GAN: a minibatch of one example cannot be normalised (examples of the last one: {left}; devices: "
                f"{epoch.devices}). Set another batch_size."
            )
        precision = self.trainer.precision_plugin
        fused = any(group.get("fused") for each in self.trainer.optimizers for group in each.param_groups)
        if self.gradient_clip_norm and fused and isinstance(precision, MixedPrecision) and precision.scaler is not None:
            raise UserError(
                "GAN: gradient_clip_norm needs optimizers that leave the loss scale of 16-mixed to Lightning. "
                "Set fused: false, or --trainer.precision bf16-mixed."
            )

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Have all devices start from the running statistics of the first, those that a checkpoint has."""
        if isinstance(self.trainer.model, DistributedDataParallel):
            self.trainer.model.require_forward_param_sync = True  # Lightning's manual optimization turns it off

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """A step of the discriminator, and behind every k-th one of the generator."""
        real = inputs_of(batch)
        weight = self._weight(len(real))
        discriminator_figures = self._discriminator_step(real, weight)
        generator_loss = torch.zeros((), device=self.device)
        stepped = self.steps["discriminator"] % self.discriminator_steps == 0
        if stepped:
            generator_loss = self._generator_step(len(real), weight)
        self._record.add(*discriminator_figures, generator_loss, generator_loss.new_tensor(float(stepped)))
        if self.trainer.is_last_batch:  # now, since a checkpoint behind it starts the next epoch
            self._step_schedules()
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # set at run time
        if stepped and every > 0 and self.steps["generator"] % every == 0:
            noted = {
                "discriminator_loss_step": float(discriminator_figures[0]),
                "generator_loss_step": float(generator_loss),
                "discriminator_steps": self.steps["discriminator"],
            }
            for logger in self.loggers:  # not by log(), which writes at every n-th minibatch
                logger.log_metrics({f"train/{name}": each for name, each in noted.items()}, self.global_step)

    def _weight(self, count: int) -> float:
        """Of this device's mean in that of all devices: its examples by their mean number."""
        # Only an epoch's last minibatch may be cut unevenly.
        if self.trainer.world_size == 1 or not self.trainer.is_last_batch:
            return 1.0
        mean = self.trainer.strategy.reduce(torch.tensor(float(count), device=self.device), reduce_op="mean")
        return count / float(mean)

    def _step_schedules(self) -> None:
        schedulers = self.lr_schedulers()  # one, or a list of two, or none
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            if isinstance(scheduler, LRScheduler):
                scheduler.step()

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Tell Lightning which step it is for loggers, which would count minibatches."""
        self.trainer.fit_loop.epoch_loop._batches_that_stepped = self.global_step

    def _discriminator_step(self, real: Tensor, weight: float) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, judgement of data and of generated examples, each of shape () and weighted, see :meth:`_weight`."""
        _, optimizer = self._optimizers()
        penalty = torch.zeros((), device=self.device)
        with self.toggled_optimizer(optimizer):
            if len(real) == 0:  # of a last block with fewer examples than devices
                loss = real_judgement = fake_judgement = loss_of_none(self.discriminator)
            else:
                with torch.no_grad():
                    fake = self.generator.draw(len(real))
                real_outputs, fake_outputs = self.discriminator(real), self.discriminator(fake)
                loss = self.loss.discriminator(at_least_float32(real_outputs), at_least_float32(fake_outputs))
                real_judgement = self.loss.judgement(at_least_float32(real_outputs.detach())).mean()
                fake_judgement = self.loss.judgement(at_least_float32(fake_outputs.detach())).mean()
                if self.penalty is not None:
                    term = self.penalty(self.discriminator, real, fake, self.steps["discriminator"])
                    loss = loss if term is None else loss + term
                    penalty = penalty if term is None else term.detach()
            self.terms = {"discriminator_loss": loss.detach(), "penalty": penalty}
            loss, real_judgement, fake_judgement = (weight * each for each in (loss, real_judgement, fake_judgement))
            optimizer.zero_grad()
            self._backward(loss)
            with uncounted(self, optimizer):
                optimizer.step()
        self.steps["discriminator"] += 1
        return loss.detach(), real_judgement.detach(), fake_judgement.detach()

    def _generator_step(self, count: int, weight: float) -> Tensor:
        """Its loss, shape (), weighted, see :meth:`_weight`."""
        optimizer, _ = self._optimizers()
        with self.toggled_optimizer(optimizer):
            if count == 0:
                loss = loss_of_none(self.generator)
            else:
                outputs = self.discriminator(self.generator.draw(count))
                loss = weight * self.loss.generator(at_least_float32(outputs))
            self.terms = {"generator_loss": loss.detach()}
            optimizer.zero_grad()
            self._backward(loss)
            optimizer.step()
        self.steps["generator"] += 1
        if self.average is not None and not was_skipped(optimizer.optimizer):
            self.average.update_parameters(self.generator)
        return loss.detach()

    def _backward(self, loss: Tensor) -> None:
        # Lightning's autocast is that of the whole training step; the backward pass has the types of the forward one.
        with torch.autocast(self.device.type, enabled=False):
            self.manual_backward(loss)

    def _optimizers(self) -> tuple[LightningOptimizer, LightningOptimizer]:
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        generator, discriminator = optimizers
        assert isinstance(generator, LightningOptimizer)
        assert isinstance(discriminator, LightningOptimizer)
        return generator, discriminator

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip; the gradients are those of the loss here, under a loss scale too."""
        if self.gradient_clip_norm is not None:
            self.clip_gradients(optimizer, self.gradient_clip_norm, "norm")

    def on_train_epoch_end(self) -> None:
        """Log the epoch's means, unless `max_steps` has cut it short."""
        means = self._record.means()
        if means is not None:
            values = dict(zip(FIGURES, means, strict=True))
            share = values.pop("generator_steps")
            generator_loss = values.pop("generator_loss")
            if share > 0:  # an epoch of fewer than k minibatches may have none
                values["generator_loss"] = generator_loss / share
            log_epoch(self, values)

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Judge a batch of the validation split; a second loader is the test split, for its curve over epochs."""
        self._judge(SPLITS[dataloader_idx], batch, batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Judge a batch of the test split."""
        self._judge("test", batch, batch_idx)

    def predict_step(self, batch: Batch, batch_idx: int) -> None:
        """Refused.

        Raises:
            UserError: Always.
        """
        raise UserError("GAN: there is nothing to predict of given data. `lightning-vi sample CKPT` draws new ones.")

    def _judge(self, split: str, batch: Batch, batch_idx: int) -> None:
        real = inputs_of(batch)
        if len(real) == 0:
            return
        fake = self.sampled.draw(len(real), evaluation_noise(self, batch_idx))
        for name, examples in (("real", real), ("fake", fake)):
            metric = self.judgements[f"{split}_{name}"]
            assert isinstance(metric, MeanMetric)
            metric.update(self.loss.judgement(at_least_float32(self.discriminator(examples))))
            self.log(f"{split}/{name}", metric, on_step=False, on_epoch=True, add_dataloader_idx=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the numbers of steps."""
        checkpoint["gan_steps"] = dict(self.steps)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on counting."""
        self.steps = dict(checkpoint["gan_steps"])

    def configure_optimizers(self) -> Any:
        """The generator's and the discriminator's, and the schedules that there are.

        Raises:
            UserError: For a schedule that follows a score.
        """
        networks = (self.generator, self.discriminator)
        optimizers = [make(each.parameters()) for make, each in zip(self.optimizers_of, networks, strict=True)]
        pairs = zip(optimizers, self.lr_schedulers_of, strict=True)
        schedules = [each for pair in pairs if (each := schedule(self, *pair)) is not None]
        if any(isinstance(each, ReduceLROnPlateau) for each in schedules):
            raise UserError("GAN: ReduceLROnPlateau follows a score, and a GAN has none that falls as it learns.")
        return optimizers, schedules


def _average(model: GeneratorModel, decay: float) -> AveragedModel:
    """An exponential moving average of a generator, its running statistics included; it needs no gradient."""
    return AveragedModel(model, avg_fn=partial(_decayed, decay), use_buffers=True).requires_grad_(False)


def _decayed(decay: float, average: Tensor, value: Tensor, _: Tensor | int) -> Tensor:
    # PyTorch's own cannot be pickled.
    return decay * average + (1.0 - decay) * value
