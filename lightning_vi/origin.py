"""What a checkpoint was trained as, and on: a training that goes on must be of the same model on the same data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule

from lightning_vi import datamodules
from lightning_vi.errors import UserError
from lightning_vi.settings import flat

REMEDY = "Give the config.yaml of its run's folder"


def require_same(
    checkpoint: Mapping[str, Any], path: Path, module: LightningModule, datamodule: LightningDataModule
) -> None:
    """Refuse to go on with another class of model or optimizer, or with another data set of this package.

    Args:
        checkpoint: what the file holds.
        path: the file.
        module: the model of the configuration.
        datamodule: its data.

    Raises:
        UserError: naming both.
    """
    # Which the command line keeps.
    saved = checkpoint.get(module.CHECKPOINT_HYPER_PARAMS_KEY, {}).get("_class_path")
    given = module.hparams.get("_class_path")
    if saved is not None and given is not None and saved != given:
        raise UserError(f"{path} is of the model {saved}, but that of this configuration is {given}. {REMEDY}.")
    before, now = (flat(each) for each in (checkpoint.get(module.CHECKPOINT_HYPER_PARAMS_KEY, {}), module.hparams))
    for name in before:
        # Its state would not fit; what PyTorch says of that names neither.
        is_kept = name.endswith(("optimizer", "lr_scheduler")) and None not in (before[name], now.get(name))
        if is_kept and before[name] != now[name]:
            raise UserError(
                f"{path} has the {name} {before[name]}, but that of this configuration is {now[name]}. "
                f"{REMEDY}, or begin anew with its weights: --weights {path}."
            )
    # Lightning keeps a datamodule's state under the name of its class.
    ours = [name for name in vars(datamodules) if name in checkpoint]
    name = type(datamodule).__qualname__
    if ours and name not in ours:
        raise UserError(
            f"{path} was trained on {ours[0]}, but the data of this configuration are {name}. "
            f"{REMEDY}, or begin anew with its weights: --weights {path}."
        )
