"""Auto-encoding variational Bayes: a latent variable model and its recognition model, trained together."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor, nn
from torch.optim import Adam

from lightning_vi.bounds import ELBO, Bound
from lightning_vi.codes import Codes
from lightning_vi.corruptions import Corruption
from lightning_vi.errors import UserError, require_at_least
from lightning_vi.latent_model import LatentModel, StochasticLayer
from lightning_vi.latent_scores import LatentScores, LatentUnits
from lightning_vi.likelihoods import Bernoulli, Likelihood
from lightning_vi.marginal import Evaluation, evaluate
from lightning_vi.modules.epoch_record import EpochRecord, log_epoch, log_loss
from lightning_vi.modules.finite_steps import FiniteSteps
from lightning_vi.modules.hyperparameters import keep_plain
from lightning_vi.modules.inputs import evaluation_noise, inputs_of, loss_of_none
from lightning_vi.modules.optimization import optimization
from lightning_vi.modules.supervised import SPLITS, Batch
from lightning_vi.modules.training_moments import start_at_training_moments
from lightning_vi.networks import Network

CHANGING = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
"""Layers whose outputs are others at a second call in training."""


class VAE(LightningModule):
    """A variational autoencoder with one or several layers of latent variables.

    Logs once per epoch, in nats per training example and exact over the epoch: ``train/loss``, what the objective
    minimises; ``train/reconstruction``, E_q[-log p(x | h)]; ``train/kl``; and ``train/elbo``, the evidence lower bound
    whatever the objective. ``val/...`` and ``test/...`` are those of :class:`LatentScores`: ``nll`` is estimated with
    `draws` importance samples, or in the validation that recurs during training `val_draws`, and only comparable at the
    same number, ``importance_samples``.

    Args:
        input_shape: Shape of one input, without the batch.
        encoder: Network of q(h | x): a class or function of ``(input_shape, output_size)``.
        decoder: Network of p(x | h).
        latent_size: Number of latent variables h.
        likelihood: p(x | f(h)), by default ``Bernoulli()``.
        upper: Layers of latent variables above the first.
        objective: What is minimised, by default the negative ELBO.
        corruption: Of what the encoder sees in training; the target stays clean.
        draws: Importance samples for each example, for testing.
        val_draws: The same for the validation that recurs during training, and for the ELBO in predictions.
        levels: Number of grey levels of dequantised inputs, for bits per dimension; from the datamodule.
        optimizer: Takes the parameters and gives an optimizer.
        lr_scheduler: Takes the optimizer and gives a scheduler, which steps once per epoch.

    References:
        Kingma, Welling 2014, Auto-Encoding Variational Bayes. Burda, Grosse, Salakhutdinov 2016, Importance Weighted
        Autoencoders. Lecture 13, auto-encoding variational Bayes.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        encoder: Network,
        decoder: Network,
        latent_size: int = 50,
        likelihood: Likelihood | None = None,  # a module has state, so each model makes its own
        upper: Sequence[StochasticLayer] = (),
        objective: Bound = ELBO(),  # this has none, and the command line shows what stands here
        corruption: Corruption | None = None,
        draws: int = 5000,
        val_draws: int = 10,
        levels: int | None = None,
        optimizer: OptimizerCallable = Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__()
        require_at_least("VAE", 1, draws=draws, val_draws=val_draws)
        self.input_shape = tuple(input_shape)
        self.model = LatentModel(
            input_shape, encoder, decoder, latent_size, Bernoulli() if likelihood is None else likelihood, upper
        )
        parts = [part for each in self.model.encoders[1:] for part in each.modules()]
        if objective.path and any(isinstance(part, CHANGING) for part in parts):
            raise UserError(
                f"VAE: {type(objective).__name__} runs the encoders of upper twice at each step. So they must have "
                "neither dropout nor batch normalisation. Choose IWAE, or other networks."
            )
        self.objective, self.corruption = objective, corruption
        self.draws, self.val_draws = draws, val_draws
        self.optimizer, self.lr_scheduler = optimizer, lr_scheduler
        dimensions = math.prod(self.input_shape)
        self.scores = nn.ModuleDict({split: LatentScores(self.model.sizes, dimensions, levels) for split in SPLITS})
        self.units: list[LatentUnits] = []
        self._record = EpochRecord(figures=3)  # loss, reconstruction and KL
        self.terms: dict[str, Tensor] = {}  # see `FiniteSteps`
        keep_plain(self)

    def configure_callbacks(self) -> list[Callback]:
        """See `EpochRecord` and `FiniteSteps`."""
        return [*self._record.unless_there(self.trainer), *FiniteSteps.unless_there(self.trainer)]

    def on_train_start(self) -> None:
        """See `start_at_training_moments`."""
        start_at_training_moments(self.model, self.trainer)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The minibatch's part of the epoch's mean objective."""
        inputs, epoch = inputs_of(batch), self._record.epoch
        if len(inputs) == 0:  # of a last block with fewer examples than devices
            nothing = loss_of_none(self)
            self._note(nothing, nothing, nothing)
            return nothing
        seen = inputs if self.corruption is None else self.corruption(inputs)
        draws = self.model.draw(
            self.model.encode(seen), inputs.flatten(start_dim=1), self.objective.samples, self.objective.path
        )
        # As for the NLL of a network: the mean over an epoch's steps is that of its examples, the last batch included.
        scale = len(inputs) * epoch.devices * epoch.scale / epoch.visited
        trained = self.current_epoch + batch_idx // epoch.accumulated / epoch.steps
        loss = scale * self.objective.loss(draws, trained)
        self._note(loss, -scale * draws.log_likelihood.mean(), scale * draws.kl.mean())
        log_loss(self, loss)
        return loss

    def _note(self, loss: Tensor, reconstruction: Tensor, kl: Tensor) -> None:
        self._record.add(loss, reconstruction, kl)
        # The loss too, since an objective can have terms of its own.
        self.terms = {"reconstruction": reconstruction.detach(), "kl": kl.detach(), "loss": loss.detach()}

    def on_train_epoch_end(self) -> None:
        """Log the epoch's means; an epoch that `max_steps` has cut short has none."""
        means = self._record.means()
        if means is None:
            return
        loss, reconstruction, kl = means
        figures = {"loss": loss, "reconstruction": reconstruction, "kl": kl, "elbo": -reconstruction - kl}
        log_epoch(self, figures)

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score a batch of the validation split; a second loader is the test split, for its curve over epochs."""
        self._score(SPLITS[dataloader_idx], batch, batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch of the test split."""
        self._score("test", batch, batch_idx)

    def predict_step(self, batch: Tensor | Batch, batch_idx: int) -> Codes:
        """Codes of a batch, with or without labels, and each example's ELBO and reconstruction error."""
        inputs = inputs_of(batch)
        mean, log_variance = self.model.encode(inputs)
        evaluation = self.evaluate(inputs, self.val_draws, batch_idx)
        scores = {"elbo": evaluation.elbo, "reconstruction": evaluation.reconstruction}
        return Codes(mean, torch.exp(0.5 * log_variance), scores)

    def evaluate(self, inputs: Tensor, draws: int, batch_idx: int = 0) -> Evaluation:
        """See :func:`evaluate`; with noise that depends on the batch and the device alone, for inputs (B, ...)."""
        return evaluate(self.model, inputs, draws, evaluation_noise(self, batch_idx))

    def _importance_samples(self) -> int:
        return self.val_draws if self.trainer.state.fn == TrainerFn.FITTING else self.draws

    def _score(self, split: str, batch: Batch, batch_idx: int) -> None:
        scores = self.scores[split]
        assert isinstance(scores, LatentScores)
        scores.update(self.evaluate(inputs_of(batch), self._importance_samples(), batch_idx))

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the validation split, and of the test split where it is watched."""
        for split in SPLITS[: len(self.trainer.num_val_batches)]:
            self._log_scores(split)

    def on_test_epoch_end(self) -> None:
        """Log the test split's scores, and tell which latent variables are not used."""
        self._log_scores("test")
        for number, each in enumerate(self.units, start=1):
            dead = (~each.active).nonzero().flatten().tolist()
            if len(dead) == len(each.active):
                rank_zero_warn(
                    f"Posterior collapse: none of the latent variables of layer {number}, {_ranges(dead)}, depends on "
                    "the input."
                )
            elif dead:
                rank_zero_info(f"Latent variables of layer {number} that are not used: {_ranges(dead)}")

    def _log_scores(self, split: str) -> None:
        scores = self.scores[split]
        assert isinstance(scores, LatentScores)
        summary = scores.compute()
        scores.reset()
        # torchmetrics makes a scalar of what is measured of a single latent variable.
        self.units = [LatentUnits(kl.reshape(-1), variance.reshape(-1)) for kl, variance in summary.units]
        values: dict[str, Tensor | float] = {**summary.scores, "importance_samples": float(self._importance_samples())}
        # torchmetrics has gathered the counts of all devices; sync_dist says so to Lightning, which would warn.
        self.log_dict({f"{split}/{name}": value for name, value in values.items()}, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """The optimizer, and the scheduler if there is one."""
        return optimization(self, self.optimizer, self.lr_scheduler)


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in words, e.g. `0, 3 to 5`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
