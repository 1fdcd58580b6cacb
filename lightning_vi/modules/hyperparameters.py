"""What a checkpoint keeps of a module's arguments."""

import inspect
import warnings

from lightning.pytorch import LightningModule


def keep_plain(module: LightningModule) -> None:
    """Keep what a checkpoint can hold as data: the command line's settings, or plain arguments from Python.

    To be called in `__init__`.
    """
    frame = inspect.currentframe()
    assert frame is not None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Attribute .* is an instance of `nn.Module`")  # dropped below
        module.save_hyperparameters(frame=frame.f_back)
    if "_class_path" not in module.hparams:
        objects = [name for name, value in module.hparams.items() if not _is_plain(value)]
        module.save_hyperparameters(ignore=objects, frame=frame.f_back)


def _is_plain(value: object) -> bool:
    if type(value) in (list, tuple):
        assert isinstance(value, list | tuple)
        return all(_is_plain(item) for item in value)
    # Of no derived type: NumPy's float64 is a float, and no checkpoint that is read as data may hold one.
    return value is None or type(value) in (bool, int, float, str)
