"""What the commands do with a trainer, a model and data."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import ModelCheckpoint, Timer
from lightning.pytorch.utilities.model_helpers import is_overridden

from lightning_vi import checkpoints, origin, out_of_distribution, run_folders, run_results, summary
from lightning_vi.callbacks import LearningCurves, metrics_file
from lightning_vi.errors import UserError
from lightning_vi.modules import BayesByBackprop, SupervisedModule
from lightning_vi.modules.finite_steps import FiniteSteps
from lightning_vi.run_lock import run_lock

TRAINING_ONLY = ("optimizer", "lr_scheduler")
"""Arguments of a model that do not matter to its evaluation."""


class Session:
    """One command's work, from the checkpoint that it starts from to the table of results.

    Args:
        trainer: Trains and tests.
        model: The model.
        datamodule: Its data.
        ood: Data whose test split the final test counts as out-of-distribution; None for no such scores.

    Raises:
        UserError: if the trainer would keep weights in 16 bits, or start more processes than there are cores, or if the
            model cannot be tested against the out-of-distribution data.
    """

    def __init__(
        self,
        trainer: Trainer,
        model: LightningModule,
        datamodule: LightningDataModule,
        ood: LightningDataModule | None = None,
    ) -> None:
        if trainer.precision in ("16-true", "bf16-true"):
            raise UserError(
                f"trainer.precision (={trainer.precision}) keeps the weights in 16 bits, too few for the small sigma "
                f"of a posterior. Choose {trainer.precision.replace('true', 'mixed')}."
            )
        cores = os.cpu_count() or 1
        # Two are a rehearsal of many, on one core too.
        if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > max(2, cores):
            raise UserError(
                f"trainer.devices (={trainer.num_devices}) must not exceed the machine's processor cores (={cores}): "
                "each device is a process."
            )
        if ood is not None:
            out_of_distribution.require_detectable(trainer, model, datamodule, ood)
        self.trainer, self.model, self.datamodule, self.ood = trainer, model, datamodule, ood

    def fit(self, ckpt_path: str | None, weights: str | None, test_checkpoint: Literal["last", "best", "none"]) -> None:
        """Train, then test the chosen checkpoint and show its scores.

        Args:
            ckpt_path: where to go on from, see `checkpoints.find`; None starts afresh.
            weights: the checkpoint whose weights a fresh start begins with, None for random ones. A run that goes on
                has had them, and its configuration still names them: there they do not count.
            test_checkpoint: that of the final epoch or that of the best validation, or no test at all.

        A run that goes on from its own `last` does so in its folder. One that has had all its epochs is tested at
        once: its final test may be what it has lost.

        Raises:
            UserError: if there is no such checkpoint, if it has been trained for longer than asked, as another model
                or on other data, or if another training has the run's folder.
        """
        if test_checkpoint == "best" and not any(each.monitor for each in self._savers()):
            raise UserError("--test_checkpoint best: no ModelCheckpoint of trainer.callbacks has a monitor.")
        if weights is not None and ckpt_path is None:
            self._start_from(checkpoints.find(self.trainer, weights, "--weights"))
        path = None if ckpt_path is None else checkpoints.find(self.trainer, ckpt_path)
        run_folders.require_free(self.trainer, path)
        checkpoint = None if path is None else checkpoints.read(path)
        folder = None
        # One without `metrics.csv`, as older ones are, would have the logger begin that of the folder anew.
        if ckpt_path is not None and path is not None and checkpoint is not None and metrics_file.KEY in checkpoint:
            folder = run_folders.of_run(self.trainer, ckpt_path, path)
        with run_folders.entered(self.trainer, folder), run_lock(self.trainer), run_folders.kept(self.trainer, folder):
            self._fit(path, checkpoint, folder, test_checkpoint)

    def _fit(
        self,
        path: Path | None,
        checkpoint: Mapping[str, Any] | None,
        folder: Path | None,
        test_checkpoint: Literal["last", "best", "none"],
    ) -> None:
        start = time.monotonic()
        elbo: dict[str, float] = {}
        if path is not None and checkpoint is not None:
            origin.require_same(checkpoint, path, self.model, self.datamodule)
        if path is not None and checkpoint is not None and self._is_finished(path, checkpoint, test_checkpoint):
            epochs = self._take_up(path, checkpoint)
        else:
            if self.trainer.is_global_zero and folder is not None:
                (folder / run_results.FILE).unlink(missing_ok=True)  # of fewer epochs
            with checkpoints.fitting(path), checkpoints.named(self.trainer):
                self.trainer.fit(self.model, datamodule=self.datamodule, ckpt_path=path, weights_only=True)
            # Noted here, since testing forgets what training has logged.
            logged = self.trainer.callback_metrics
            names = ("train/elbo", "train/tempered_not_elbo")
            elbo = {name: float(logged[name]) for name in names if name in logged}
            epochs, path = self.trainer.current_epoch, self._saved(test_checkpoint)
        seconds = time.monotonic() - start
        training = run_results.training(self.trainer, epochs, seconds)

        # Without a file, as in a trial run, the weights are tested as they stand.
        scores, noted = ({}, {}) if test_checkpoint == "none" else self._final_scores(path)
        if self.trainer.is_global_zero and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
            run_results.write(self.trainer, self.model, noted, training)
        skipped = {"skipped steps": f"{training.skipped_steps:,}"} if training.skipped_steps else {}
        self._show({**scores, **elbo}, path, {**skipped, "wall time": summary.duration(seconds)})

    def _start_from(self, path: Path) -> None:
        """Load a checkpoint's weights into the model, and nothing else of it; a point estimate's become means."""
        state = checkpoints.read(path)["state_dict"]
        with checkpoints.fitting(path):
            if isinstance(self.model, BayesByBackprop) and "model.mu" not in state:
                try:
                    state = self.model.state_around(state)
                except UserError as error:
                    raise UserError(f"{path}: {error}") from error
            self.model.load_state_dict(state)

    def _is_finished(self, path: Path, checkpoint: Mapping[str, Any], test_checkpoint: str) -> bool:
        """Whether the run of a checkpoint needs no more training; else tells where its settings differ."""
        if not checkpoints.is_finished(checkpoint, path, self.trainer):
            self._tell_differences(path, checkpoint, "A resumed run keeps its optimizer and its schedule.")
            return False
        if test_checkpoint == "best":
            raise UserError(f"{path} needs no more training. Test the best one: test --ckpt_path best.")
        return True

    def _take_up(self, path: Path, checkpoint: Mapping[str, Any]) -> int:
        """Restore what is noted of a training that is over (steps, metrics, curves, time); the number of its epochs."""
        self.trainer.fit_loop.load_state_dict(checkpoint["loops"]["fit_loop"])
        epochs = checkpoints.epochs(checkpoint)
        self.trainer.fit_loop.epoch_progress.current.completed = epochs
        metrics_file.bring_back(self.trainer, checkpoint)
        for each in self.trainer.callbacks:  # type: ignore[attr-defined]  # set at run time
            if isinstance(each, LearningCurves | Timer | FiniteSteps) and each.state_key in checkpoint["callbacks"]:
                each.load_state_dict(checkpoint["callbacks"][each.state_key])
        self._tell(f"{path} has been trained for {epochs} epochs already. Testing it.")
        return epochs

    def validate(self, ckpt_path: str | None) -> None:
        """Show a checkpoint's scores on the validation split."""
        with self.evaluating(ckpt_path, "validate") as path:
            self._show(self._scores(self.trainer.validate, path), path)

    def test(self, ckpt_path: str | None) -> None:
        """Show a checkpoint's scores on the test split, and against the out-of-distribution data."""
        with self.evaluating(ckpt_path, "test") as path:
            self._show({**self._scores(self.trainer.test, path), **self._detection()}, path)

    def predict(self, ckpt_path: str | None) -> None:
        """Predict from a checkpoint; a callback writes the predictions."""
        with self.evaluating(ckpt_path, "predict") as path:
            self.trainer.predict(
                self.model,
                datamodule=self.datamodule,
                ckpt_path=path,
                weights_only=True,
                return_predictions=False,
            )

    @contextmanager
    def evaluating(self, ckpt_path: str | None, command: str) -> Iterator[Path]:
        """A context in which a command reads a checkpoint; gives its file, and tells where its model differs.

        Raises:
            UserError: if there is no such checkpoint, or, in the context, if it does not fit the model.
        """
        if ckpt_path is None:
            raise UserError(f"{command} needs --ckpt_path last, best or a file: untrained weights say nothing.")
        path = checkpoints.find(self.trainer, ckpt_path)
        self._tell_differences(path, checkpoints.read(path), ignored=TRAINING_ONLY)
        with run_folders.entered(self.trainer), checkpoints.fitting(path):
            yield path

    def _final_scores(self, path: Path | None) -> tuple[dict[str, float], dict[str, float]]:
        """Scores on the test split, and on the validation split as the test takes them: with all draws.

        First those that loggers have; then all, those of single members of an ensemble too.
        """
        scores: dict[str, float] = {}
        noted: dict[str, float] = {}
        for split, evaluate in (("test", self.trainer.test), ("val", self.trainer.validate)):
            if self._has(split):
                scores |= self._scores(evaluate, path)
                noted |= {name: float(value) for name, value in self.trainer.callback_metrics.items()}
                if split == "test":
                    detection = self._detection()
                    scores, noted = scores | detection, noted | detection
        return scores, noted

    def _detection(self) -> dict[str, float]:
        """Scores against the out-of-distribution data, if there are any, of the weights that have just been tested."""
        if self.ood is None:
            return {}
        return out_of_distribution.detection_scores(self.trainer, self.model, self.datamodule, self.ood)

    def _has(self, split: str) -> bool:
        if split == "val" and self.trainer.limit_val_batches == 0:
            return False
        has_data = any(is_overridden(f"{split}_dataloader", each) for each in (self.datamodule, self.model))
        return has_data and is_overridden("test_step" if split == "test" else "validation_step", self.model)

    def _scores(self, evaluate: Callable[..., Any], path: Path | None) -> dict[str, float]:
        results = evaluate(self.model, datamodule=self.datamodule, ckpt_path=path, weights_only=True, verbose=False)
        if not results:
            raise UserError(f"{evaluate.__name__}: {type(self.datamodule).__name__} has no data for it.")
        return {name: value for each in results for name, value in each.items()}

    def _tell_differences(
        self, path: Path, checkpoint: Mapping[str, Any], remark: str = "", ignored: tuple[str, ...] = ()
    ) -> None:
        found = checkpoints.differences(checkpoint, self.model, ignored)
        if found:
            self._tell(f"{path} was trained with {', '.join(found)}. {remark}".rstrip())

    def _tell(self, note: str) -> None:
        if self.trainer.is_global_zero:
            print(f"Note: {note}", file=sys.stderr)

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
            **({"objective": self.model.minimised} if isinstance(self.model, SupervisedModule) else {}),
            "parameters": f"{sum(each.numel() for each in self.model.parameters()):,}",
            **(rows or {}),
            "checkpoint": "none" if path is None else str(path),
        }
        summary.show(f"{type(self.model).__name__} on {type(self.datamodule).__name__}", table)
