from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_vi.callbacks.log_image import log_image
from lightning_vi.plots import learning_curves
from lightning_vi.plots.curves import CURVES


class LearningCurves(Callback):
    """Notes what is logged once per epoch, and draws error (or RMSE) and ELBO as `learning_curves`.

    The checkpoint keeps all that is noted, so that a resumed run has the whole of it; those of
    `lightning_vi.plots.curves.CURVES` are drawn at the end of training.

    Attributes:
        history: For each name that the module logs, e.g. `val/error`, its values by the number of epochs trained.
    """

    def __init__(self) -> None:
        self.history: dict[str, dict[int, float]] = {}
        self._ended: int | None = None  # the epoch whose training values are still to be noted

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what validation has logged."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._note(trainer, trainer.current_epoch + 1, ("val/", "test/"))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the epoch; modules log its values after this hook, so they are noted at the next occasion.

        One that `max_steps` has cut short has none.
        """
        self._ended = trainer.current_epoch + 1 if trainer.is_last_batch else None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the epoch just ended to the state, which Lightning took before this hook."""
        if self._ended is not None:
            self._note(trainer, self._ended, ("train/",))
            checkpoint["callbacks"][self.state_key] = self.state_dict()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what the epoch before has logged."""
        if self._ended is not None:
            self._note(trainer, self._ended, ("train/",))
            self._ended = None

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the last epoch and draw."""
        self.on_train_epoch_start(trainer, pl_module)
        if CURVES.keys() & self.history.keys() and trainer.is_global_zero:
            log_image(trainer, "learning_curves", learning_curves(self.history))

    def state_dict(self) -> dict[str, Any]:
        """The history: for each name its values, by the number of epochs trained."""
        return {"history": {name: dict(values) for name, values in self.history.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the checkpoint's history."""
        self.history = {name: dict(values) for name, values in state_dict["history"].items()}

    def _note(self, trainer: Trainer, epochs: int, prefixes: tuple[str, ...]) -> None:
        # Every rank comes here: reading the metrics may reduce them over devices.
        metrics = trainer.callback_metrics
        for name in metrics:
            if name.startswith(prefixes) and not name.endswith("_step"):
                self.history.setdefault(name, {})[epochs] = float(metrics[name])
