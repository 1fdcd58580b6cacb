"""What the commands do with a trainer, a model and data."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.model_helpers import is_overridden

from lightning_vi import checkpoints, summary
from lightning_vi.errors import UserError

TRAINING_ONLY = ("optimizer", "lr_scheduler")
"""Arguments of a model that do not matter to its evaluation."""


class Session:
    """One command's work, from the checkpoint that it starts from to the table of results."""

    def __init__(self, trainer: Trainer, model: LightningModule, datamodule: LightningDataModule) -> None:
        self.trainer, self.model, self.datamodule = trainer, model, datamodule

    def fit(self, ckpt_path: str | None, test_checkpoint: Literal["last", "best", "none"]) -> None:
        """Train, then test the chosen checkpoint and show its scores.

        Args:
            ckpt_path: where to go on from, see `checkpoints.find`; None starts afresh.
            test_checkpoint: that of the final epoch or that of the best validation, or no test at all.

        Raises:
            UserError: if there is no such checkpoint, or nothing left to train.
        """
        if test_checkpoint == "best" and not any(each.monitor for each in self._savers()):
            raise UserError("--test_checkpoint best: no ModelCheckpoint of trainer.callbacks has a monitor.")
        path = None if ckpt_path is None else checkpoints.find(self.trainer, ckpt_path)
        if path is not None:
            checkpoint = checkpoints.read(path)
            checkpoints.require_epochs_left(checkpoint, path, self.trainer)
            self._tell_differences(path, checkpoint, "A resumed run keeps its optimizer and its schedule.")

        start = time.monotonic()
        with checkpoints.fitting(path):
            self.trainer.fit(self.model, datamodule=self.datamodule, ckpt_path=path, weights_only=True)
        seconds = time.monotonic() - start
        # Noted here, since testing forgets what training has logged.
        trained = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        scores = {name: trained[name] for name in ("train/elbo",) if name in trained}

        path = self._saved(test_checkpoint)
        if test_checkpoint != "none" and self._testable():
            # Without a file, as in a trial run, the weights are tested as they stand.
            scores = {**self._scores(self.trainer.test, path), **scores}
        self._show(scores, path, {"wall time": summary.duration(seconds)})

    def validate(self, ckpt_path: str | None) -> None:
        """Show a checkpoint's scores on the validation split."""
        with self._evaluating(ckpt_path, "validate") as path:
            self._show(self._scores(self.trainer.validate, path), path)

    def test(self, ckpt_path: str | None) -> None:
        """Show a checkpoint's scores on the test split."""
        with self._evaluating(ckpt_path, "test") as path:
            self._show(self._scores(self.trainer.test, path), path)

    def predict(self, ckpt_path: str | None) -> None:
        """Predict from a checkpoint; a callback writes the predictions."""
        with self._evaluating(ckpt_path, "predict") as path:
            self.trainer.predict(
                self.model,
                datamodule=self.datamodule,
                ckpt_path=path,
                weights_only=True,
                return_predictions=False,
            )

    @contextmanager
    def _evaluating(self, ckpt_path: str | None, command: str) -> Iterator[Path]:
        if ckpt_path is None:
            raise UserError(f"{command} needs --ckpt_path last, best or a file: untrained weights say nothing.")
        path = checkpoints.find(self.trainer, ckpt_path)
        self._tell_differences(path, checkpoints.read(path), ignored=TRAINING_ONLY)
        with checkpoints.fitting(path):
            yield path

    def _testable(self) -> bool:
        has_data = any(is_overridden("test_dataloader", each) for each in (self.datamodule, self.model))
        return has_data and is_overridden("test_step", self.model)

    def _scores(self, evaluate: Callable[..., Any], path: Path | None) -> dict[str, float]:
        results = evaluate(self.model, datamodule=self.datamodule, ckpt_path=path, weights_only=True, verbose=False)
        if not results:
            raise UserError(f"{evaluate.__name__}: {type(self.datamodule).__name__} has no data for it.")
        return {name: value for each in results for name, value in each.items()}

    def _tell_differences(
        self, path: Path, checkpoint: Mapping[str, Any], remark: str = "", ignored: tuple[str, ...] = ()
    ) -> None:
        found = checkpoints.differences(checkpoint, self.model, ignored)
        if found and self.trainer.is_global_zero:
            print(f"Note: {path} was trained with {', '.join(found)}. {remark}".rstrip(), file=sys.stderr)

    def _savers(self) -> list[ModelCheckpoint]:
        return [each for each in self.trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint)]

    def _saved(self, choice: str) -> Path | None:
        """The file of the chosen checkpoint, if there is one."""
        if choice == "best":
            best = (each.best_model_path for each in self._savers() if each.monitor)
            found = next((Path(path) for path in best if path), None)
            if found is None and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
                raise UserError(
                    "--test_checkpoint best: nothing was validated, so there is no best; test --ckpt_path last."
                )
            return found
        # Read, since `save_last` beside a monitor saves the last best epoch, which need not be the final one.
        files = (path for each in self._savers() if (path := Path(each.dirpath or "") / "last.ckpt").is_file())
        final = (path for path in files if checkpoints.read(path)["global_step"] == self.trainer.global_step)
        return next(final, None)

    def _show(self, scores: Mapping[str, float], path: Path | None, rows: Mapping[str, str] | None = None) -> None:
        if not self.trainer.is_global_zero:
            return
        table = {
            **summary.score_rows(scores),
            "parameters": f"{sum(each.numel() for each in self.model.parameters()):,}",
            **(rows or {}),
            "checkpoint": "none" if path is None else str(path),
        }
        summary.show(f"{type(self.model).__name__} on {type(self.datamodule).__name__}", table)
