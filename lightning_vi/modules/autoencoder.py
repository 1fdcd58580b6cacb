"""Deterministic autoencoders: dimension reduction, compression and, from corrupted inputs, denoising."""

from typing import Any

from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim import Adam
from torchmetrics import MeanMetric

from lightning_vi.codes import Codes
from lightning_vi.corruptions import Corruption
from lightning_vi.deterministic_model import DeterministicModel
from lightning_vi.likelihoods import Gaussian, Likelihood
from lightning_vi.modules.epoch_record import EpochRecord, log_epoch, log_loss
from lightning_vi.modules.finite_steps import FiniteSteps
from lightning_vi.modules.hyperparameters import keep_plain
from lightning_vi.modules.inputs import evaluation_noise, inputs_of, loss_of_none
from lightning_vi.modules.optimization import optimization
from lightning_vi.modules.supervised import SPLITS, Batch
from lightning_vi.modules.training_moments import start_at_training_moments
from lightning_vi.networks import Network
from lightning_vi.objectives import expected_nll


class Autoencoder(LightningModule):
    """An autoencoder without latent variables: what it reconstructs is p(x | f(g(x))), g and f its networks.

    Logs ``train/reconstruction`` once per epoch, exact over the epoch, and the same as ``train/loss``: -log p(x |
    f(g(x'))), nats per training example, where x' is what the encoder sees. With the default likelihood that is half
    the squared error, plus D / 2 log 2 pi.

    Logs as ``val/...`` and ``test/...``

    - ``nll``: -log p(x | f(g(x))), nats per example, the reconstruction error. It is no bound of -log p(x), and not to
      be compared with that of a VAE;
    - ``mse``: squared error of the likelihood's mean, per pixel, averaged over pixels and examples;
    - ``mse_corrupted``, if there is a corruption: the same where the encoder sees the corrupted input.

    Args:
        input_shape: Shape of one input, without the batch.
        encoder: Network of g: a class or function of ``(input_shape, output_size)``.
        decoder: Network of f.
        code_size: Number of variables of the code.
        likelihood: p(x | f(h)), by default ``Gaussian()``, with a standard deviation of 1.
        corruption: Of what the encoder sees in training; the target stays clean.
        optimizer: Takes the parameters and gives an optimizer.
        lr_scheduler: Takes the optimizer and gives a scheduler, which steps once per epoch.

    References:
        Hinton, Salakhutdinov 2006, Reducing the Dimensionality of Data with Neural Networks. Vincent, Larochelle,
        Bengio, Manzagol 2008, Extracting and Composing Robust Features with Denoising Autoencoders. Lecture 13,
        autoencoders.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        encoder: Network,
        decoder: Network,
        code_size: int = 50,
        likelihood: Likelihood | None = None,  # a module has state, so each model makes its own
        corruption: Corruption | None = None,
        optimizer: OptimizerCallable = Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__()
        self.input_shape = tuple(input_shape)
        self.model = DeterministicModel(
            self.input_shape, encoder, decoder, code_size, Gaussian() if likelihood is None else likelihood
        )
        self.corruption = corruption
        self.optimizer, self.lr_scheduler = optimizer, lr_scheduler
        names = ("nll", "mse") if corruption is None else ("nll", "mse", "mse_corrupted")
        # Not a number is a score too: by default torchmetrics would leave such examples out.
        self.scores = nn.ModuleDict(
            {split: nn.ModuleDict({name: MeanMetric(nan_strategy="disable") for name in names}) for split in SPLITS}
        )
        self._record = EpochRecord(figures=1)  # the loss
        self.terms: dict[str, Tensor] = {}  # see `FiniteSteps`
        keep_plain(self)

    def configure_callbacks(self) -> list[Callback]:
        """See `EpochRecord` and `FiniteSteps`."""
        return [*self._record.unless_there(self.trainer), *FiniteSteps.unless_there(self.trainer)]

    def on_train_start(self) -> None:
        """See `start_at_training_moments`."""
        start_at_training_moments(self.model, self.trainer)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The minibatch's part of the epoch's mean reconstruction error."""
        inputs = inputs_of(batch)
        if len(inputs) == 0:  # of a last block with fewer examples than devices; torch has no log density of none
            nothing = loss_of_none(self)
            self._record.add(nothing)
            self.terms = {"reconstruction": nothing.detach()}
            return nothing
        seen = inputs if self.corruption is None else self.corruption(inputs)
        outputs = self.model.reconstruct(seen).unsqueeze(0)
        loss = expected_nll(self.model.likelihood, outputs, inputs.flatten(start_dim=1), self._record.epoch)
        self._record.add(loss)
        self.terms = {"reconstruction": loss.detach()}
        log_loss(self, loss)
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean; an epoch that `max_steps` has cut short has none."""
        means = self._record.means()
        if means is not None:
            log_epoch(self, {"loss": means[0], "reconstruction": means[0]})

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score a batch of the validation split; a second loader is the test split, for its curve over epochs."""
        self._score(SPLITS[dataloader_idx], inputs_of(batch), batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch of the test split."""
        self._score("test", inputs_of(batch), batch_idx)

    def predict_step(self, batch: Tensor | Batch, batch_idx: int) -> Codes:
        """Codes of a batch, with or without labels, and each example's reconstruction error, an anomaly score."""
        inputs = inputs_of(batch)
        code = self.model.encode(inputs).mean
        nll, mse = self._errors(self.model.decode(code), inputs)
        return Codes(mean=code, standard_deviation=None, scores={"reconstruction": nll, "mse": mse})

    def _errors(self, outputs: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """-log p(x | outputs) in nats, and the squared error per pixel; of each example, (B,)."""
        targets = inputs.flatten(start_dim=1)
        mean: Tensor = self.model.likelihood(outputs).mean
        return self.model.likelihood.nll(outputs, targets), (mean - targets).square().mean(dim=-1)

    def _score(self, split: str, inputs: Tensor, batch_idx: int) -> None:
        if len(inputs) == 0:
            return
        scores = self._metrics(split)
        nll, mse = self._errors(self.model.reconstruct(inputs), inputs)
        scores["nll"].update(nll)
        scores["mse"].update(mse)
        if self.corruption is not None:
            seen = self.corruption(inputs, evaluation_noise(self, batch_idx))
            scores["mse_corrupted"].update(self._errors(self.model.reconstruct(seen), inputs)[1])

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the validation split, and of the test split where it is watched."""
        for split in SPLITS[: len(self.trainer.num_val_batches)]:
            self._log_scores(split)

    def on_test_epoch_end(self) -> None:
        """Log the test split's scores."""
        self._log_scores("test")

    def _log_scores(self, split: str) -> None:
        for name, metric in self._metrics(split).items():
            # torchmetrics has gathered the counts of all devices; sync_dist says so to Lightning, which would warn.
            self.log(f"{split}/{name}", metric.compute(), sync_dist=True)
            metric.reset()

    def _metrics(self, split: str) -> dict[str, MeanMetric]:
        metrics = self.scores[split]
        assert isinstance(metrics, nn.ModuleDict)
        return {name: metric for name, metric in metrics.items() if isinstance(metric, MeanMetric)}

    def configure_optimizers(self) -> Any:
        """The optimizer, and the scheduler if there is one."""
        return optimization(self, self.optimizer, self.lr_scheduler)
