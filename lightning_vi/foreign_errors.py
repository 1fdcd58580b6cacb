"""What Lightning and PyTorch raise of settings that they notice late, as what is told of a user's mistake."""

import traceback
from types import FrameType

from lightning.fabric.utilities.exceptions import MisconfigurationException

from lightning_vi.user_errors import shorten

OF_SETTINGS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What settings of an optimizer or a schedule make its arithmetic raise; what a device raises is a RuntimeError."""


def mistake(error: Exception) -> str | None:
    """What is told of an exception that a training has raised; None if no setting is to blame."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    module = _module(frames[-1])
    if str(error).startswith("Expected more than 1 value per channel"):
        return (
            "a minibatch of one example, perhaps an epoch's last, cannot be normalised by BatchNorm1d. "
            "Set another --data.batch_size."
        )
    if str(error).startswith("Early stopping conditioned on metric"):
        return shorten(str(error))
    if isinstance(error, MisconfigurationException | ValueError) and module.startswith("lightning."):
        return shorten(str(error))
    # `StepLR(step_size=0)` divides by it at the end of the first epoch.
    if isinstance(error, OF_SETTINGS) and module.startswith("torch.optim."):
        # A function beside its class may do the arithmetic.
        owners = [frame.f_locals["self"] for frame in frames if _module(frame) == module and "self" in frame.f_locals]
        name = type(owners[-1]).__name__ if owners else module
        return f"{name}: its arguments do not fit: {shorten(str(error))}. Change them."
    return None


def _module(frame: FrameType) -> str:
    return str(frame.f_globals["__name__"])
