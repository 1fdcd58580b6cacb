"""Weights & Biases that training does not depend on."""

import atexit
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from lightning.pytorch import loggers

from lightning_vi.errors import UserError
from lightning_vi.user_errors import shorten

if TYPE_CHECKING:
    from wandb import Run
    from wandb.sdk.lib import RunDisabled


class WandbLogger(loggers.WandbLogger):
    """Lightning's, except that training goes on where W&B fails: the run stays on this disk, for `wandb sync`.

    - No answer within `init_timeout` seconds: the run is an offline one.
    - No answer later: W&B's own process writes to the disk and tries again, at the end for `finish_timeout` seconds.
      With `finish_timeout_raises` that is told. All three are W&B's settings; `wandb.yaml` sets them.
    - That process itself is gone: nothing more is logged.

    The arguments are named one by one: those that jsonargparse would find behind Lightning's ``**kwargs`` have W&B's
    defaults written out, and a ``settings`` with all of its defaults outweighs the environment, ``WANDB_MODE`` too.

    Args:
        name: The run's name there; in a configuration null is the configuration's `name`.
        save_dir: Folder of the run's files, above `wandb`.
        version: The run's id, to go on with that run; by default a new one.
        offline: Keep the run on this disk, for `wandb sync`.
        project: Its project; by default that of the environment, `WANDB_PROJECT`.
        log_model: Whether checkpoints are uploaded: at the end, or with "all" whenever one is written.
        prefix: What the names of all metrics begin with.
        checkpoint_name: Name of the uploaded checkpoints, by default `model-` and the run's id.
        entity: The user or team that the run belongs to.
        group: Runs of one group are shown together.
        job_type: What kind of run of its group this is.
        tags: Words to find the run by.
        notes: What is to be said of it.
        settings: W&B's settings by name; those left out are the environment's.
    """

    _is_lost = False

    def __init__(
        self,
        name: str | None = None,
        save_dir: str = ".",
        version: str | None = None,
        offline: bool = False,
        project: str | None = None,
        log_model: Literal["all"] | bool = False,
        prefix: str = "",
        checkpoint_name: str | None = None,
        entity: str | None = None,
        group: str | None = None,
        job_type: str | None = None,
        tags: Sequence[str] | None = None,
        notes: str | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            name=name,
            save_dir=save_dir,
            version=version,
            offline=offline,
            project=project,
            log_model=log_model,
            prefix=prefix,
            checkpoint_name=checkpoint_name,
            entity=entity,
            group=group,
            job_type=job_type,
            tags=tags,
            notes=notes,
            settings=settings,
        )

    @property
    def experiment(self) -> "Run | RunDisabled":
        """See `lightning.pytorch.loggers.WandbLogger.experiment`.

        Raises:
            UserError: if W&B wants a key, or refuses the one that there is.
        """
        if self._experiment is None:
            self._start()
        run: Run | RunDisabled = super().experiment
        return run

    def _start(self) -> None:
        from wandb.errors import AuthenticationError, CommError, UsageError

        try:
            _ = super().experiment
        except (AuthenticationError, UsageError) as error:
            raise UserError(
                f"W&B: {shorten(str(error)).rstrip('.')}. Run `wandb login`, or set WANDB_MODE=offline."
            ) from error
        except (CommError, TimeoutError) as error:
            self._wandb_init["mode"] = "offline"
            _tell(f"W&B cannot be reached ({shorten(str(error), 100)}), so this run is offline", super().experiment)
        if self._experiment is not None:  # rank zero's
            # Ahead of what W&B itself has registered by now, which would not tell of a timeout.
            atexit.register(_finish, self._experiment)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """See `lightning.pytorch.loggers.WandbLogger.log_metrics`."""
        with self._going_on():
            super().log_metrics(metrics, step)

    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """See `lightning.pytorch.loggers.WandbLogger.log_hyperparams`."""
        with self._going_on():
            super().log_hyperparams(params)

    def log_image(self, key: str, images: list[Any], step: int | None = None, **kwargs: Any) -> None:
        """See `lightning.pytorch.loggers.WandbLogger.log_image`."""
        with self._going_on():
            super().log_image(key, images, step, **kwargs)

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """A context in which W&B's process may be gone; that is told once."""
        try:
            yield
        except ConnectionError as error:
            if not self._is_lost:
                _tell(f"W&B's process is gone ({error}); nothing more is logged there", self.experiment)
            self._is_lost = True


def _finish(run: "Run | RunDisabled") -> None:
    """Wait for what is still to be uploaded."""
    try:
        run.finish()
    except (TimeoutError, ConnectionError) as error:
        _tell(f"W&B has not taken all of the run ({error})", run)


def _tell(what: str, run: "Run | RunDisabled") -> None:
    # W&B leaves out what has begun online, unless it is asked for.
    command = f"wandb sync --include-online {run.settings.sync_dir}"
    print(f"Note: {what}. The run is kept on this disk; to upload it: {command}", file=sys.stderr)
