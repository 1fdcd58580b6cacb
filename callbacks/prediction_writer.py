from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.overrides.distributed import _IndexBatchSamplerWrapper
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.distributions import Categorical, Independent, Normal
from torch.utils.data import DataLoader

from lightning_vi.callbacks.notices import Notices
from lightning_vi.callbacks.prediction_file import Part, merge, require_writable
from lightning_vi.callbacks.run_folder import run_folder
from lightning_vi.codes import Codes
from lightning_vi.errors import UserError
from lightning_vi.predictive import Predictive

LEVELS = (0.05, 0.95)
Labels = Sequence[int | str]


@runtime_checkable
class PartedLoader(Protocol):
    """A loader that runs through its data in order and tells which examples this process gets at each step."""

    def part(self, step: int) -> slice:
        """Positions in the data set."""


@runtime_checkable
class IdentifiedBatch(Protocol):
    """A batch that tells which examples it has: those of a data set from the position `first` on."""

    ids: np.ndarray
    first: int


@runtime_checkable
class Labelled(Protocol):
    """A datamodule that knows what its classes are called; None if there are none."""

    classes: Labels | None


class PredictionWriter(Callback):
    """Writes `<run folder>/predictions.csv` in `predict`, batch by batch, one row per example in the data's order.

    For classes the columns are `id`, `predicted`, `p_<class>` for each class (probabilities averaged over weight
    draws), `entropy`, `expected_entropy` and `mutual_information` (nats). For a regression they are `id`, `mean`,
    `standard_deviation` (of the predictive distribution, noise included), its parts `epistemic_standard_deviation` and
    `aleatoric_standard_deviation` and, if the likelihood is Gaussian, `quantile_05` and `quantile_95`; targets of
    several dimensions add `_0`, `_1`, ... to the names. For an autoencoder they are `id`, `code_0`, ..., for a
    variational one also `standard_deviation_0`, ..., and the example's scores: `reconstruction` and `elbo` in nats, or
    `mse` per pixel; a bad reconstruction is the sign of an anomaly.

    `id` is what the datamodule calls the example, else its position in the data set. Classes are called as the
    datamodule calls them, else by their numbers.

    Every process writes a part of its own, `predictions.csv.<rank>`; at the end rank zero merges them. So the file's
    folder must be visible to all, as it must be for checkpoints. A run that fails leaves an older file as it was.

    This is no `BasePredictionWriter`: Lightning then looks for the examples' positions, finds them for PyTorch's
    `DataLoader` only, and warns about any other loader.

    Attributes:
        path: The file last written, None before.

    Args:
        output: Another file, whose name ends in `.csv` or `.parquet`.

    Raises:
        UserError: If it ends otherwise.
    """

    def __init__(self, output: str | None = None) -> None:
        self.output = None if output is None else require_writable(output)
        self.path: Path | None = None
        self._target = Path()
        self._part: Part | None = None
        self._notices = Notices()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open this process's part."""
        # W&B tells rank zero alone what the run is called
        self._target = trainer.strategy.broadcast(self.output or run_folder(trainer) / "predictions.csv")
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._part = Part(_part(self._target, trainer.global_rank))

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        """Write the batch."""
        if not isinstance(outputs, Predictive | Codes):
            self._notices.say(
                f"PredictionWriter writes nothing: {type(pl_module).__name__} gives neither a predictive distribution "
                "nor codes."
            )
            return
        assert self._part is not None
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set at run time
        table = columns(outputs, datamodule.classes if isinstance(datamodule, Labelled) else None)
        if isinstance(batch, IdentifiedBatch):
            places: Sequence[int] = range(batch.first, batch.first + len(batch.ids))
            ids = pa.array(batch.ids)
        else:
            places = positions(trainer.predict_dataloaders, batch_idx)
            ids = pa.array(np.asarray(places, dtype=np.int64))
        self._part.write(places, {"id": ids, **table})

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Merge the parts."""
        self._close()
        trainer.strategy.barrier("predictions")
        if trainer.is_global_zero:
            parts = [_part(self._target, rank) for rank in range(trainer.world_size)]
            if merge(parts, self._target):
                self.path = self._target
                rank_zero_info(f"Predictions: {self._target}")
            for part in parts:
                part.unlink()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Remove this process's part: half of the predictions would look like all of them."""
        if self._part is not None:
            part = self._part.path
            self._close()
            part.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None


def columns(outputs: Predictive | Codes, labels: Labels | None = None) -> dict[str, pa.Array]:
    """The columns for B examples, by name; each (B,). See `PredictionWriter`.

    Args:
        outputs: What is predicted of them.
        labels: K names of classes, by default their numbers.
    """
    if isinstance(outputs, Codes):
        return _arrays(_code_columns(outputs))
    if isinstance(outputs.conditional, Categorical):
        return _class_columns(outputs, labels)
    return _arrays(_vector_columns(outputs))


def _class_columns(predictive: Predictive, labels: Labels | None) -> dict[str, pa.Array]:
    probabilities = predictive.probabilities
    names = range(probabilities.shape[-1]) if labels is None else labels
    uncertainties = {
        "entropy": predictive.entropy,
        "expected_entropy": predictive.expected_entropy,
        "mutual_information": predictive.mutual_information,
    }
    by_class = dict(zip((f"p_{name}" for name in names), probabilities.unbind(dim=-1), strict=True))
    predicted = pa.array(list(names)).take(pa.array(probabilities.argmax(dim=-1).cpu().numpy()))
    return {"predicted": predicted, **_arrays({**by_class, **uncertainties})}


def _vector_columns(predictive: Predictive) -> dict[str, Tensor]:
    table = {
        "mean": predictive.mean,
        "standard_deviation": predictive.variance.sqrt(),
        "epistemic_standard_deviation": predictive.epistemic_variance.sqrt(),
        "aleatoric_standard_deviation": predictive.aleatoric_variance.sqrt(),
    }
    conditional = predictive.conditional
    if isinstance(conditional, Independent) and isinstance(conditional.base_dist, Normal):
        names = (f"quantile_{100 * level:02.0f}" for level in LEVELS)
        table.update(zip(names, predictive.quantiles(LEVELS), strict=True))
    if predictive.mean.shape[-1] == 1:
        return {name: column.squeeze(-1) for name, column in table.items()}
    return {f"{name}_{d}": column[:, d] for name, column in table.items() for d in range(column.shape[-1])}


def _code_columns(codes: Codes) -> dict[str, Tensor]:
    parts = {"code": codes.mean}
    if codes.standard_deviation is not None:
        parts["standard_deviation"] = codes.standard_deviation
    vectors = {f"{name}_{d}": part[:, d] for name, part in parts.items() for d in range(part.shape[-1])}
    return {**vectors, **codes.scores}


def _arrays(table: dict[str, Tensor]) -> dict[str, pa.Array]:
    return {name: pa.array(column.detach().cpu().numpy()) for name, column in table.items()}


def positions(loader: object, step: int) -> Sequence[int]:
    """Where in the data set the examples of this process's step lie.

    Raises:
        UserError: If the loader does not tell.
    """
    if isinstance(loader, PartedLoader):
        part = loader.part(step)
        return range(part.start, part.stop)
    # Lightning puts this sampler into every loader that it predicts from
    if isinstance(loader, DataLoader) and isinstance(loader.batch_sampler, _IndexBatchSamplerWrapper):
        return loader.batch_sampler.seen_batch_indices[step]
    raise UserError(
        f"PredictionWriter: the predict loader (={type(loader).__name__}) does not tell the positions of its "
        "examples. Use a DataLoader over a data set with a length, or one of lightning_vi.datamodules."
    )


def _part(target: Path, rank: int) -> Path:
    return target.with_name(f"{target.name}.{rank}")
