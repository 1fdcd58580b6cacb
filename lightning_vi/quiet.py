"""Keeps from the user what Lightning says of itself."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from jsonargparse._deprecated import JsonargparseDeprecationWarning

LOGGERS = (
    "lightning.fabric.utilities.rank_zero",
    "lightning.fabric.utilities.seed",
    "lightning.pytorch.utilities.rank_zero",
)

MESSAGES = (
    "GPU available",
    "TPU available",
    "💡 Tip",
    "Seed set to",
    "Loading `train_dataloader` to estimate",
    "Restoring states from the checkpoint",
    "Restored all states from the checkpoint",
    "Automatic Mixed Precision (AMP)",
    "Loaded model weights from the checkpoint",
    "`Trainer.fit` stopped: `max_epochs=",
)
"""Messages that tell nothing new: the devices are those asked for, the checkpoint stands in the table."""

WARNINGS = (
    # Between Lightning and torch.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"torch.distributed.nn.functional.all_gather is deprecated",
    # Epoch values are logged all the same.
    r"The number of training batches .* is smaller than the logging interval",
    # As it must when a run starts from the checkpoint of another.
    r"The dirpath has changed from",
    # A run goes on in its folder, and its metrics are brought back.
    r"Checkpoint directory .* exists and is not empty",
    r"Experiment logs directory .* exists and is not empty",
    # Which is what everybody expects of a checkpoint.
    r"Using ModelCheckpoint with manual optimization and every_n_train_steps, but no pre-optimization state",
    # With `validation_size: 0` there is nothing to monitor, and no best epoch.
    r"`ModelCheckpoint\(monitor='val/\w+'\)` could not find the monitored key",
)


@contextmanager
def quiet() -> Iterator[None]:
    """A context in which :data:`MESSAGES` and :data:`WARNINGS` are not shown."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addFilter(_matters)
    try:
        with warnings.catch_warnings():
            # Between Lightning and jsonargparse.
            warnings.simplefilter("ignore", JsonargparseDeprecationWarning)
            for message in WARNINGS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(_matters)


def _matters(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not any(each in message for each in MESSAGES)  # in, as a rank may stand before it
