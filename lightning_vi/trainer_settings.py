"""Settings of the Trainer that Lightning would pass over, or refuse without a name or a remedy."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

from lightning_vi.errors import UserError

LEAST = {
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "gradient_clip_val": 0,
    "log_every_n_steps": 0,
    "num_nodes": 1,
}
"""The smallest values of numbers."""

ACCELERATORS = {
    "gpu": (CUDAAccelerator, MPSAccelerator),
    "cuda": (CUDAAccelerator,),
    "mps": (MPSAccelerator,),
}
"""What each name of GPUs may mean."""


def require_sensible(settings: Mapping[str, Any]) -> None:
    """Refuse what no machine could do, and devices that this machine does not have.

    Args:
        settings: Arguments of the Trainer.

    Raises:
        UserError: for the first that is wrong.
    """
    for name, least in LEAST.items():
        if settings[name] is not None and not settings[name] >= least:
            raise UserError(f"trainer.{name} (={settings[name]}) must be at least {least}.")
    accelerator, devices = settings["accelerator"], settings["devices"]
    kinds = ACCELERATORS.get(accelerator, ())
    if kinds and not any(kind.is_available() for kind in kinds):
        raise UserError(
            f"trainer.accelerator (={accelerator}): PyTorch finds none on this machine. Choose cpu or auto."
        )
    if accelerator == "cpu" and devices != "auto" and not _is_number(devices):
        raise UserError(
            f"trainer.devices (={devices}) must be a number of processes from 1 on, or auto, for the accelerator cpu."
        )


def _is_number(devices: object) -> bool:
    text = str(devices)  # an option's number may come as text
    return text.isdecimal() and int(text) > 0
