"""Builds the objects that a configuration names, and keeps why it could not."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI, _InstantiatorFn
from lightning.pytorch.loggers import Logger

from lightning_vi import checkpoints
from lightning_vi.datamodules import Images
from lightning_vi.datamodules.learned import Learned
from lightning_vi.datamodules.own_data import OwnData
from lightning_vi.errors import UserError
from lightning_vi.named_classes import require_no_function
from lightning_vi.user_errors import shorten

LINKED = ("input_shape", "target_size", "levels")
"""What a model takes from its datamodule."""

MISTAKES = (ValueError, MisconfigurationException, ModuleNotFoundError)
"""What constructors raise when their arguments cannot be had; anything else ours or the user's raise is a bug."""

FOREIGN = ("lightning", "torch")
"""Packages whose constructors hardly check their arguments: whatever they raise is about these."""


class Builder:
    """Calls the classes of a configuration, in place of jsonargparse.

    A class that is to be called later, such as an optimizer's, is handed to the model bound to this object. So
    :meth:`release` must be called once all is built, or a copy of the model would be one of the command line,
    the trainer and the data too.

    Args:
        cli: for the settings that models and datamodules save as their hyperparameters.

    Attributes:
        failure: why the last object that could not be built could not be. jsonargparse itself goes on to the
            next type of a union then, and in the end says that none has fitted.
    """

    def __init__(self, cli: LightningCLI) -> None:
        self._cli: LightningCLI | None = cli
        self.failure: Exception | None = None

    def instantiators(self) -> list[tuple[Callable[..., Any], type, bool]]:
        """What builds the subclasses of which class, as `ArgumentParser.instantiate` takes it."""
        return [
            (self._model, LightningModule, True),
            (self._datamodule, LightningDataModule, True),
            (self._logger, Logger, True),
            (self._any, object, True),
        ]

    def release(self) -> None:
        """Let go of the command line."""
        self._cli = None

    def _any(self, class_type: type, *args: Any, **kwargs: Any) -> Any:
        with self._failure_kept(class_type):
            require_no_function(class_type, kwargs)
            return class_type(*args, **kwargs)

    def _logger(self, class_type: type[Logger], *args: Any, **kwargs: Any) -> Any:
        assert self._cli is not None
        if kwargs.get("name", "") is None:
            kwargs["name"] = self._cli.config[self._cli.subcommand]["name"]
        return self._any(class_type, *args, **kwargs)

    def _datamodule(self, class_type: type[LightningDataModule], *args: Any, **kwargs: Any) -> Any:
        assert self._cli is not None
        with self._failure_kept(class_type):
            require_no_function(class_type, kwargs)
            make = _InstantiatorFn(self._cli, "data")
            datamodule = make(class_type, *args, applied_instantiation_links={}, **kwargs)
            if isinstance(datamodule, OwnData):
                self._restore(datamodule)
            return datamodule

    def _restore(self, datamodule: OwnData) -> None:
        """Let data that are evaluated have the shapes and classes of the checkpoint, which the model is built from.

        Lightning restores them too late for that. A training learns from its files, and compares.
        """
        assert self._cli is not None
        options = self._cli.config[self._cli.subcommand]
        ckpt_path, runs = options.get("ckpt_path"), _runs(options)
        if self._cli.subcommand == "fit" or ckpt_path is None or (runs is None and ckpt_path in checkpoints.NAMES):
            return
        path, _ = checkpoints.located(runs, ckpt_path)
        checkpoint = checkpoints.read(path)
        state = checkpoint.get(type(datamodule).__qualname__)
        if state is None and isinstance(datamodule, Images):
            state = _of_other_images(checkpoint, path)
        if state is not None:
            datamodule.load_state_dict(state)

    def _model(
        self,
        class_type: type[LightningModule],
        *args: Any,
        applied_instantiation_links: dict[str, Any],
        **kwargs: Any,
    ) -> Any:
        assert self._cli is not None
        # Lightning would save a linked value as a hyperparameter even of a model that has no such argument.
        links = {key: value for key, value in applied_instantiation_links.items() if key.split(".")[-1] in kwargs}
        with self._failure_kept(class_type):
            _require_shapes(class_type, kwargs)
            self._require_linked(links)
            require_no_function(class_type, kwargs)
            return _InstantiatorFn(self._cli, "model")(class_type, *args, applied_instantiation_links=links, **kwargs)

    def _require_linked(self, links: dict[str, Any]) -> None:
        """Refuse an argument of the model that contradicts the data, which would silently have its way."""
        assert self._cli is not None
        given = self._cli.config[self._cli.subcommand]["model"].get("init_args", {})
        for key, told in links.items():
            name = key.split(".")[-1]
            value = given.get(name)
            if value is not None and told is not None and _plain(value) != _plain(told):
                raise UserError(f"model.{name} (={value}) is not that of the data, {told}. Leave it out.")

    @contextmanager
    def _failure_kept(self, class_type: Callable[..., Any]) -> Iterator[None]:
        try:
            yield
        except UserError as error:
            self.failure = error
            raise
        except MISTAKES as error:
            self.failure = UserError(f"{class_type.__name__}: {shorten(str(error))}")
            raise self.failure from error
        except Exception as error:
            if class_type.__module__.partition(".")[0] in FOREIGN:
                self.failure = UserError(f"{class_type.__name__}: its arguments do not fit: {shorten(str(error))}")
                raise self.failure from error
            self.failure = error
            raise


def _of_other_images(checkpoint: Mapping[str, Any], path: Path) -> dict[str, Any] | None:
    """What `Images` would have learned from the data set of a checkpoint; None if that has no images."""
    states = (each for each in checkpoint.values() if isinstance(each, Mapping))
    pixels = next((each["pixels"] for each in states if each.get("pixels") is not None), None)
    settings = checkpoint.get(LightningModule.CHECKPOINT_HYPER_PARAMS_KEY, {})
    if pixels is None or "input_shape" not in settings:
        return None
    try:
        learned = Learned.of_images(pixels, settings["input_shape"], settings["target_size"])
    except UserError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} does not say how its pixels were scaled. Train it with this version.") from error
    return {"seed": None, "position": None, "learned": learned.state_dict()}


def _runs(options: Namespace) -> Path | None:
    """The folder of a configuration's runs, if its first logger is one that has the name told; none is built yet."""
    loggers = options["trainer"]["logger"]
    first = next(iter(loggers), None) if isinstance(loggers, list) else loggers
    if not isinstance(first, Namespace) or not first["class_path"].endswith((".CSVLogger", ".TensorBoardLogger")):
        return None
    folder, name = first["init_args"]["save_dir"], first["init_args"]["name"] or options["name"]
    return Path(folder) / str(name)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value  # tuples of the data are lists in a file


def _require_shapes(class_type: type[LightningModule], arguments: dict[str, Any]) -> None:
    required = [name for name, each in signature(class_type).parameters.items() if each.default is Parameter.empty]
    missing = [name for name in LINKED if name in required and arguments.get(name) is None]
    if missing:
        raise UserError(
            f"{class_type.__name__} needs {' and '.join(missing)}, which the datamodule does not tell. "
            f"Give {' and '.join(f'--model.{name}' for name in missing)}."
        )
