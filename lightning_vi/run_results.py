"""What a run has come to, as data: `results.json` in its folder."""

from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Timer

from lightning_vi.callbacks import LearningCurves
from lightning_vi.callbacks.run_folder import run_folder
from lightning_vi.json_file import write_json
from lightning_vi.modules.finite_steps import FiniteSteps
from lightning_vi.modules.supervised import SupervisedModule
from lightning_vi.provenance import commit

FILE = "results.json"


class Training(NamedTuple):
    """A training that is over.

    Attributes:
        epochs: Number of epochs trained.
        seconds: Time it took, over all starts where there is a `Timer`.
        curves: For each name that was logged its values by epoch, where there is a `LearningCurves`.
        skipped_steps: Number of steps left out since their loss or gradient was not finite, see `FiniteSteps`.
    """

    epochs: int
    seconds: float
    curves: dict[str, dict[int, float]]
    skipped_steps: int


def training(trainer: Trainer, epochs: int, seconds: float) -> Training:
    """What callbacks say of a training, to be asked before a test: it reads their state from the checkpoint once more.

    Args:
        trainer: that has trained.
        epochs: number of epochs trained.
        seconds: time of this call's training, for want of a `Timer`.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set at run time
    timers = [each for each in callbacks if isinstance(each, Timer)]
    curves = [each.history for each in callbacks if isinstance(each, LearningCurves)]
    skipped = sum(each.skipped for each in callbacks if isinstance(each, FiniteSteps))
    elapsed = timers[0].time_elapsed() if timers else seconds
    return Training(epochs, elapsed, curves[0] if curves else {}, skipped)


def write(trainer: Trainer, model: LightningModule, scores: dict[str, float], training: Training) -> Path:
    """Leave a run's results in its folder.

    Args:
        trainer: that has trained it.
        model: that was trained.
        scores: of the tested checkpoint.
        training: how.

    Returns:
        The file.
    """
    parameters = sum(each.numel() for each in model.parameters())
    path = run_folder(trainer) / FILE
    write_json(
        path,
        {
            "scores": scores,
            "curves": training.curves,
            "epochs": training.epochs,
            "skipped_steps": training.skipped_steps,
            **({"objective": model.minimised} if isinstance(model, SupervisedModule) else {}),
            "parameters": parameters,
            "weights": model.weights if isinstance(model, SupervisedModule) else parameters,
            "seconds": training.seconds,
            "device": device(trainer),
            "commit": commit(),
        },
    )
    return path


def device(trainer: Trainer) -> str:
    """What the trainer trains on, its number and its precision, e.g. `AMD EPYC, 1 thread, 32-true`."""
    if trainer.strategy.root_device.type == "cuda":
        name = f"{trainer.world_size} x {torch.cuda.get_device_name(trainer.strategy.root_device)}"
    else:
        threads = torch.get_num_threads()
        name = f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}"
    return f"{name}, {trainer.precision}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "CPU"
