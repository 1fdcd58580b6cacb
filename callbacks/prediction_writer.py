import heapq
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO, runtime_checkable

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.overrides.distributed import _IndexBatchSamplerWrapper
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.distributions import Categorical, Independent, Normal
from torch.utils.data import DataLoader

from lightning_vi.callbacks.notices import Notices
from lightning_vi.callbacks.run_folder import run_folder
from lightning_vi.codes import Codes
from lightning_vi.errors import UserError
from lightning_vi.predictive import Predictive

LEVELS = (0.05, 0.95)


@runtime_checkable
class PartedLoader(Protocol):
    """A loader that runs through its data in order and tells which examples this process gets at each step."""

    def part(self, step: int) -> slice:
        """Positions in the data set."""


class PredictionWriter(Callback):
    """Writes `<run folder>/predictions.csv` in `predict`, batch by batch, one line per example in the data's order.

    For classes the columns are `id` (position in the data set), `predicted`, `p_0` ... `p_<K-1>` (probabilities
    averaged over weight draws), `entropy` and `mutual_information` (nats). For a regression they are `id`,
    `mean`, `standard_deviation` and, if the likelihood is Gaussian, `quantile_05` and `quantile_95`, all of the
    predictive distribution, noise included; targets of several dimensions add `_0`, `_1`, ... to the names. For an
    autoencoder they are `id`, `code_0`, ..., for a variational one also `standard_deviation_0`, ..., and the example's
    scores: `reconstruction` and `elbo` in nats, or `mse` per pixel; a bad reconstruction is the sign of an anomaly.

    Every process writes a part of its own, `predictions.csv.<rank>`; at the end rank zero merges them. So the run
    folder must be visible to all, as it must be for checkpoints. An interrupted run leaves its parts, and an
    older `predictions.csv` as it was.

    This is no `BasePredictionWriter`: Lightning then looks for the examples' positions, finds them for PyTorch's
    `DataLoader` only, and warns about any other loader.

    Attributes:
        path: The file last written, None before.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self._target = Path()
        self._part: TextIO | None = None
        self._header: list[str] = []
        self._notices = Notices()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open this process's part."""
        # W&B tells rank zero alone what the run is called
        self._target = trainer.strategy.broadcast(run_folder(trainer) / "predictions.csv")
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._part = _part(self._target, trainer.global_rank).open("w", encoding="utf-8", newline="")

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
        table = columns(outputs)
        self._header = ["id", *table]
        ids = positions(trainer.predict_dataloaders, batch_idx)
        rows = zip(ids, *(column.tolist() for column in table.values()), strict=True)
        self._part.writelines(
            ",".join(f"{value:.6g}" if isinstance(value, float) else str(value) for value in row) + "\n" for row in rows
        )

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Merge the parts."""
        self._close()
        trainer.strategy.barrier("predictions.csv")
        if trainer.is_global_zero:
            parts = [_part(self._target, rank) for rank in range(trainer.world_size)]
            if self._header:
                _merge(parts, self._header, self._target)
                self.path = self._target
                rank_zero_info(f"Predictions: {self._target}")
            for part in parts:
                part.unlink()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Keep what has been written."""
        self._close()

    def _close(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None


def columns(outputs: Predictive | Codes) -> dict[str, Tensor]:
    """The columns for B examples, by name; each (B,). See `PredictionWriter`."""
    return _code_columns(outputs) if isinstance(outputs, Codes) else _predictive_columns(outputs)


def _predictive_columns(predictive: Predictive) -> dict[str, Tensor]:
    if isinstance(predictive.conditional, Categorical):
        probabilities = predictive.probabilities
        return {
            "predicted": probabilities.argmax(dim=-1),
            **{f"p_{k}": column for k, column in enumerate(probabilities.unbind(dim=-1))},
            "entropy": predictive.entropy,
            "mutual_information": predictive.mutual_information,
        }
    table = {"mean": predictive.mean, "standard_deviation": predictive.variance.sqrt()}
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


def _merge(parts: Sequence[Path], header: Sequence[str], target: Path) -> None:
    """One file in the order of the ids, from parts that are each in that order; complete or not there at all."""
    whole = target.with_name(f"{target.name}.whole")
    files = [part.open(encoding="utf-8") for part in parts]
    with whole.open("w", encoding="utf-8") as file:
        file.write(",".join(header) + "\n")
        file.writelines(heapq.merge(*files, key=lambda line: int(line.partition(",")[0])))
    for opened in files:
        opened.close()
    os.replace(whole, target)
