from pathlib import Path

from lightning.pytorch import Trainer


def run_folder(trainer: Trainer) -> Path:
    """The folder of this run: save_dir/name/version of the first logger, e.g. `runs/bbb_mnist/version_0`.

    `ModelCheckpoint` puts `checkpoints` there by the same rule; `Trainer.log_dir` differs from it with
    `WandbLogger`, where it is save_dir alone. Without a logger it is the trainer's `default_root_dir`.

    Use it on rank zero only, from `setup` on: W&B gives a run its version there and then, and the other ranks
    of a distributed run know none.
    """
    if not trainer.loggers:
        return Path(trainer.default_root_dir)
    logger = trainer.loggers[0]
    version = logger.version if isinstance(logger.version, str) else f"version_{logger.version}"
    return Path(logger.save_dir or trainer.default_root_dir) / str(logger.name) / version
