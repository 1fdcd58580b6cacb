"""Models from files that may be anybody's."""

from argparse import ArgumentError
from pathlib import Path
from typing import TypeVar

from jsonargparse import ArgumentParser
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import instantiate_module

# Lightning rebuilds a checkpoint's model only if the class that it names is imported.
from lightning_vi import checkpoints, modules, plugins, tensor_file, user_errors  # noqa: F401
from lightning_vi.errors import UserError
from lightning_vi.nearest import did_you_mean
from lightning_vi.quiet import quiet
from lightning_vi.tensor_file import Model
from lightning_vi.trusted import require_trusted, watched

Module = TypeVar("Module", bound=LightningModule)


def load(path: str | Path, kind: type[Module]) -> Module:
    """The model of a checkpoint of `lightning-vi fit`, or of a file of `lightning-vi export`.

    It is on the CPU, in evaluation mode. The file is compared with its checksum and read as data, and its model is
    built of trusted classes alone, see `lightning_vi.trusted`. Lightning's own `load_from_checkpoint` does neither: it
    calls what the checkpoint names.

    Args:
        path: The file; one whose name ends in `.safetensors` is read without any pickle.
        kind: The class that the model is expected to have, or one that it is derived from.

    Raises:
        UserError: if there is no such file, if it is damaged, if it does not say how to build its model or names other
            classes, or if its model is of another kind.
    """
    path = Path(path)
    saved = saved_model(path)
    plugins.load()
    try:
        require_trusted(dict(saved.settings))
        with quiet(), watched():
            module = _build(path, saved)
    except (ArgumentError, LookupError, TypeError, ValueError, RuntimeError) as error:
        name = saved.settings["_class_path"]
        raise UserError(f"{path}: its model, {name}, cannot be built: {_reason(error)}") from error
    if not isinstance(module, kind):
        raise UserError(f"{path} holds a {type(module).__name__}, not a {kind.__name__}.")
    return module.eval()


def saved_model(path: Path) -> Model:
    """What a file holds of a model.

    Raises:
        UserError: if there is no such file, if it is damaged, or if it does not say how to build its model.
    """
    if not path.is_file():
        likely = sorted(str(file) for file in path.parent.glob("*.ckpt"))
        raise UserError(f"{path}: no such file.{did_you_mean(str(path), likely)}")
    if path.suffix == tensor_file.SUFFIX:
        saved = tensor_file.read(path)
    else:
        checkpoint = checkpoints.read(path)
        saved = Model(checkpoint.get(checkpoints.SETTINGS, {}), checkpoint["state_dict"])
    if "_class_path" not in saved.settings:
        raise UserError(f"{path} does not say how to build its model, as those of `lightning-vi fit` do.")
    return saved


def _build(path: Path, saved: Model) -> LightningModule:
    if path.suffix != tensor_file.SUFFIX:
        # Reads the file once more, and has the module take up what it has added to the checkpoint.
        return LightningModule.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    module = instantiate_module(LightningModule, {k: v for k, v in saved.settings.items() if k != "_instantiator"})
    module.load_state_dict(saved.state)
    return module


def _reason(error: Exception) -> str:
    """Why a model cannot be built, in a line."""
    if isinstance(error, ArgumentError):
        return user_errors.explain(str(error), ArgumentParser(exit_on_error=False))
    # What a constructor raises is the cause of what jsonargparse raises.
    return user_errors.shorten(" ".join(str(error.__cause__ or error).split()))
