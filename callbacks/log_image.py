from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from matplotlib.figure import Figure
from matplotlib.image import imread

from lightning_vi.callbacks.run_folder import run_folder


def log_image(trainer: Trainer, name: str, figure: Figure) -> None:
    """Save a figure as `<run folder>/figures/<name>.png` and show it in the W&B and TensorBoard loggers.

    The loggers get the pixels of the file, under the key `figures/<name>`, at the trainer's global step. Does
    nothing on ranks other than zero, and nothing under `fast_dev_run`, which leaves no trace.
    """
    if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
        return
    path = run_folder(trainer) / "figures" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=figure.dpi)
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(f"figures/{name}", [str(path)], step=trainer.global_step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(f"figures/{name}", imread(path), trainer.global_step, dataformats="HWC")
