"""What the commands do with a trainer, a model and data."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, Timer
from lightning.pytorch.utilities.model_helpers import is_overridden

from lightning_vi import checkpoints, pruning, run_results, summary
from lightning_vi.callbacks import LearningCurves
from lightning_vi.callbacks.log_image import log_image
from lightning_vi.callbacks.run_folder import run_folder
from lightning_vi.errors import UserError
from lightning_vi.metrics import scores_for
from lightning_vi.modules import BayesByBackprop
from lightning_vi.plots import signal_to_noise
from lightning_vi.pruning_curve import pruning_curve
from lightning_vi.pruning_report import PruningReport, save_checkpoint

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

        A run that has had all its epochs is tested at once: its final test may be what it has lost.

        Raises:
            UserError: if there is no such checkpoint, or if it has been trained for longer than asked.
        """
        if test_checkpoint == "best" and not any(each.monitor for each in self._savers()):
            raise UserError("--test_checkpoint best: no ModelCheckpoint of trainer.callbacks has a monitor.")
        path = None if ckpt_path is None else checkpoints.find(self.trainer, ckpt_path)
        checkpoint = None if path is None else checkpoints.read(path)
        start = time.monotonic()
        elbo: dict[str, float] = {}
        if path is not None and checkpoint is not None and checkpoints.is_finished(checkpoint, path, self.trainer):
            self._tell(f"{path} has been trained for {self.trainer.max_epochs} epochs already. Testing it.")
            self._restore_callbacks(checkpoint)
        else:
            if path is not None and checkpoint is not None:
                self._tell_differences(path, checkpoint, "A resumed run keeps its optimizer and its schedule.")
            with checkpoints.fitting(path):
                self.trainer.fit(self.model, datamodule=self.datamodule, ckpt_path=path, weights_only=True)
            # Noted here, since testing forgets what training has logged.
            logged = self.trainer.callback_metrics
            elbo = {name: float(logged[name]) for name in ("train/elbo",) if name in logged}
            path = self._saved(test_checkpoint)
        seconds = time.monotonic() - start

        # Without a file, as in a trial run, the weights are tested as they stand.
        scores = {} if test_checkpoint == "none" else self._final_scores(path)
        if self.trainer.is_global_zero and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
            run_results.write(self.trainer, self.model, scores, seconds)
        self._show({**scores, **elbo}, path, {"wall time": summary.duration(seconds)})

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

    def prune(
        self,
        ckpt_path: str | None,
        fractions: Sequence[float],
        remove: float,
        draws: int | None,
        published: Mapping[float, float],
    ) -> None:
        """Show a checkpoint's scores against the fraction of its weights removed, and write one with some removed.

        Args:
            ckpt_path: the checkpoint, see `checkpoints.find`.
            fractions: of the random weights, in [0, 1). What the checkpoint has removed stays so, and counts.
            remove: the same for the checkpoint that is written, from which training can go on.
            draws: weight draws of the predictive distribution; None for the model's.
            published: figures of others by fraction, which is evaluated too.

        Raises:
            UserError: if there is no such checkpoint, if the model has no random weights, or for a number out of range.
        """
        if not isinstance(self.model, BayesByBackprop):
            name = type(self.model).__name__
            raise UserError(f"prune needs |mu|/sigma of random weights, as BayesByBackprop has them; {name} has none.")
        draws = self.model.draws if draws is None else draws
        if draws < 1:
            raise UserError(f"--draws (={draws}) must be at least 1.")
        with self._evaluating(ckpt_path, "prune") as path:
            checkpoint = checkpoints.read(path)
            self.model.load_state_dict(checkpoint["state_dict"])
        net = self.model.model
        if not (fractions or published):
            raise UserError("--fractions (=[]) must hold at least one number.")
        counts = sorted({pruning.removal(net, fraction) for fraction in (*fractions, *published)})
        cutoff = pruning.removal(net, remove)
        curve = pruning_curve(self.trainer, self.model, self.datamodule, counts, draws)
        if not self.trainer.is_global_zero:
            return
        report = PruningReport(
            f"{type(self.model).__name__} on {type(self.datamodule).__name__}, {draws} draws: {path}",
            net.mu.numel(),
            curve,
            scores_for(self.model.likelihood, self.model.target_size).headline,
            {round(fraction * net.mu.numel()): score for fraction, score in published.items()},
        )
        report.show()
        if not self.trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
            folder, share = run_folder(self.trainer), cutoff / net.mu.numel()
            report.write(folder)
            log_image(self.trainer, "pruning", report.figure())
            ratios = net.signal_to_noise().detach().cpu()
            log_image(self.trainer, "signal_to_noise", signal_to_noise(ratios, max(share, 1 / ratios.numel())))
            net.kept = pruning.kept_weights(net, cutoff)
            save_checkpoint(folder / "checkpoints" / "pruned.ckpt", checkpoint, self.model)
            print(f"  with {100 * share:.4g} % removed: {folder / 'checkpoints' / 'pruned.ckpt'}")

    @contextmanager
    def _evaluating(self, ckpt_path: str | None, command: str) -> Iterator[Path]:
        if ckpt_path is None:
            raise UserError(f"{command} needs --ckpt_path last, best or a file: untrained weights say nothing.")
        path = checkpoints.find(self.trainer, ckpt_path)
        self._tell_differences(path, checkpoints.read(path), ignored=TRAINING_ONLY)
        with checkpoints.fitting(path):
            yield path

    def _final_scores(self, path: Path | None) -> dict[str, float]:
        """Scores on the test split, and on the validation split as the test takes them: with all draws."""
        scores: dict[str, float] = {}
        for split, evaluate in (("test", self.trainer.test), ("val", self.trainer.validate)):
            if self._has(split):
                scores |= self._scores(evaluate, path)
        return scores

    def _has(self, split: str) -> bool:
        if split == "val" and self.trainer.limit_val_batches == 0:
            return False
        has_data = any(is_overridden(f"{split}_dataloader", each) for each in (self.datamodule, self.model))
        return has_data and is_overridden("test_step" if split == "test" else "validation_step", self.model)

    def _restore_callbacks(self, checkpoint: Mapping[str, Any]) -> None:
        """What callbacks have noted in a training that is over, such as its curves and its time."""
        for each in self.trainer.callbacks:  # type: ignore[attr-defined]  # set at run time
            if isinstance(each, LearningCurves | Timer) and each.state_key in checkpoint["callbacks"]:
                each.load_state_dict(checkpoint["callbacks"][each.state_key])

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
            "parameters": f"{sum(each.numel() for each in self.model.parameters()):,}",
            **(rows or {}),
            "checkpoint": "none" if path is None else str(path),
        }
        summary.show(f"{type(self.model).__name__} on {type(self.datamodule).__name__}", table)
