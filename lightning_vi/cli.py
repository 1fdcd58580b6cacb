"""The commands that run a Trainer: Lightning's command line with our names, checks and results.

The model's `input_shape` and `target_size` come from the datamodule. A model without such arguments is left alone,
and so is one whose datamodule does not tell them: then they are given like any other option.
"""

import signal
from argparse import ArgumentError, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import yaml
from jsonargparse import ActionConfigFile, ArgumentParser  # type: ignore[attr-defined]  # imported there without __all__
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter, ModelCheckpoint, ProgressBar, Timer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins.io import CheckpointIO
from lightning.pytorch.utilities.exceptions import SIGTERMException

# The packages of classes are imported for their names, which jsonargparse knows once the classes are defined.
from lightning_vi import (  # noqa: F401
    __version__,
    adversarial,
    datamodules,
    estimators,
    foreign_errors,
    likelihoods,
    modules,
    named_classes,
    named_configs,
    networks,
    noise_priors,
    plugins,
    posteriors,
    priors,
    prune_command,
    schedules,
    short_names,
    user_errors,
    wandb_logger,
    weighting,
)
from lightning_vi.building import LINKED, MISTAKES, Builder
from lightning_vi.callbacks import DeletedFolder, LastCheckpoint, MetricsFile, PredictionWriter
from lightning_vi.checkpoint_io import WholeFileCheckpointIO
from lightning_vi.datamodules.own_data import OwnData
from lightning_vi.errors import UserError
from lightning_vi.quiet import quiet
from lightning_vi.secret_settings import require_no_secret
from lightning_vi.session import Session
from lightning_vi.trainer_settings import require_sensible

OWN_OPTIONS = {
    "fit": ("weights", "test_checkpoint", "checkpoint_every", "ood"),
    "test": ("ood",),
    "predict": ("output",),
    "prune": ("fractions", "remove", "draws", "published"),
}
"""Options that not all commands have."""

TERMINATED = 128 + signal.SIGTERM
"""Exit code of a command that has ended by SIGTERM, as a shell has it."""


def install() -> None:
    """Make jsonargparse know our classes and those of plug-ins, by short names, and build nothing but classes."""
    plugins.load()
    short_names.install()
    named_classes.install()


def run(args: Sequence[str]) -> int:
    """Run a command line and return its exit code, 0 or `TERMINATED`.

    Raises:
        UserError: for a mistake in it, or in a file or a setting that it names.
        KeyboardInterrupt: at Ctrl-C.
    """
    install()
    with quiet():
        try:
            CommandLine(list(args))
        except SIGTERMException:
            return TERMINATED
        except SystemExit as end:
            # So Lightning ends a training that Ctrl-C has interrupted.
            if isinstance(end.__context__, KeyboardInterrupt):
                raise end.__context__ from None
            raise
        except UserError:
            raise
        except Exception as error:
            told = foreign_errors.mistake(error)
            if told is None:
                raise
            raise UserError(told) from error
    return 0


def _of_command(path: Path, parser: LightningArgumentParser) -> str | None:
    """The text of a configuration without other commands' own options; None if it has none.

    The `config.yaml` that `fit` leaves in a run's folder serves to test and to predict, too.
    """
    foreign = {name for names in OWN_OPTIONS.values() for name in names} - {each.dest for each in parser._actions}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except named_configs.UNREADABLE:  # which the parser tells
        return None
    if not isinstance(content, dict) or foreign.isdisjoint(content):
        return None
    return yaml.safe_dump({name: value for name, value in content.items() if name not in foreign}, sort_keys=False)


def _is_clock(callback: Callback) -> bool:
    """Whether it notes the time, and sets no limit to it."""
    return isinstance(callback, Timer) and callback.time_remaining() is None


_COMMON = {"model", "datamodule", "weights_only"}
METHODS = {
    "fit": {*_COMMON, "train_dataloaders", "val_dataloaders"},
    "validate": {*_COMMON, "dataloaders", "verbose"},
    "test": {*_COMMON, "dataloaders", "verbose"},
    "predict": {*_COMMON, "dataloaders", "return_predictions"},
    "prune": {"model", "datamodule"},
}
"""The Trainer's methods that are commands, and the arguments of each that are no options."""


class NamedConfigFile(ActionConfigFile):
    """`--config` that knows the packaged configurations by name. Its mistakes name the file."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Merge a configuration into what has been read so far."""
        path = named_configs.find(values)
        named_configs.require_unique_keys(path)
        if named_configs.is_table(path):
            raise UserError(f"--config {values}: this describes a table of runs. Use it so: table --config {values}")
        try:
            self.apply_config(parser, namespace, self.dest, _of_command(path, parser) or str(path))
        except (ArgumentError, TypeError, ValueError) as error:
            indented = str(error).replace("\n", "\n  ")
            raise ArgumentError(None, f"In {values}:\n  {indented}") from error


class SaveConfig(SaveConfigCallback):
    """Writes `config.yaml` into the run's folder, and the same into loggers that keep configurations elsewhere."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """See `SaveConfigCallback.save_config`."""
        config = yaml.safe_load(self.parser.dump(self.config))
        for logger in trainer.loggers:
            if not isinstance(logger, CSVLogger):
                logger.log_hyperparams({"config": config})


class PruningTrainer(Trainer):
    """A Trainer that can also prune: Lightning makes a command of a Trainer's method, and options of its arguments."""

    def prune(
        self,
        model: LightningModule,
        datamodule: LightningDataModule,
        ckpt_path: str | None = None,
        fractions: Sequence[float] = (0.0, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99),
        remove: float = 0.95,
        draws: int | None = None,
        published: dict[float, float] | None = None,
    ) -> None:
        """Score a checkpoint against the fraction of its weights removed, and write one with some removed.

        Args:
            model: The model.
            datamodule: Its data.
            ckpt_path: The checkpoint: last, best or a file.
            fractions: Fractions of the weights to remove, by |mu|/sigma, lowest first.
            remove: The fraction that is removed in the checkpoint that is written, above 0.
            draws: Weight draws of the predictive distribution, by default the model's.
            published: Figures to show beside ours: errors (or RMSE) by fraction removed, which are added to ours.
        """
        try:  # jsonargparse checks the values only
            figures = {float(fraction): score for fraction, score in (published or {}).items()}
        except ValueError as error:
            raise UserError(f"--published (={published}): expected fractions with their figures.") from error
        prune_command.prune(Session(self, model, datamodule), ckpt_path, fractions, remove, draws, figures)


class CommandLine(LightningCLI):
    """Parses a command line, builds what it names and runs it."""

    def __init__(self, args: list[str], commands: Iterable[str] | None = None) -> None:
        """Run a command line.

        Args:
            args: The command and its options.
            commands: Those that get a parser of options, which takes long to build; by default the one that is run.
        """
        defaults = [str(named_configs.packaged()[named_configs.DEFAULTS])]
        self._commands = args[:1] if commands is None else list(commands)
        super().__init__(
            LightningModule,
            LightningDataModule,
            save_config_callback=SaveConfig,
            trainer_class=PruningTrainer,
            # The folder is the run's own, except without a logger.
            save_config_kwargs={"overwrite": True},
            # Abbreviations would make a new option change what an old command line means.
            parser_kwargs={"prog": "lightning-vi", "exit_on_error": False, "allow_abbrev": False}
            | {command: {"default_config_files": defaults} for command in self._commands},
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=args,
            # A module takes its optimizer as an argument, so that one with two of them is configured alike.
            auto_configure_optimizers=False,
            # The builder does that.
            load_from_checkpoint_support=False,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # there it does not know the command
        """See `LightningCLI.subcommands`."""
        return {command: METHODS[command] for command in self._commands}

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """See `LightningCLI.init_parser`."""
        parser = LightningArgumentParser(dump_header=[f"lightning-vi=={__version__}"], **kwargs)
        parser.add_argument(
            "-c",
            "--config",
            action=NamedConfigFile,
            help="A file, or the name of a packaged configuration; later ones override earlier ones.",
        )
        return parser

    def setup_parser(
        self, add_subcommands: bool, main_kwargs: dict[str, Any], subparser_kwargs: dict[str, Any]
    ) -> None:
        """See `LightningCLI.setup_parser`."""
        super().setup_parser(add_subcommands, main_kwargs, subparser_kwargs)
        if "fit" in self._commands:
            self._add_fit_options()
        if "predict" in self._commands:
            self._parser("predict").add_argument(
                "--output",
                type=str | None,
                default=None,
                help="The file of the predictions, .csv or .parquet; by default predictions.csv in the run's folder.",
            )
        for command in {"fit", "test"}.intersection(self._commands):
            self._parser(command).add_argument(
                "--ood",
                type=LightningDataModule | None,
                default=None,
                help="A second datamodule, whose test split the test counts as out-of-distribution.",
            )

    def _add_fit_options(self) -> None:
        self._parser("fit").add_argument(
            "--weights",
            type=str | None,
            default=None,
            help="A checkpoint whose weights a new training starts from: last, best or a file. Not with --ckpt_path.",
        )
        self._parser("fit").add_argument(
            "--test_checkpoint",
            type=Literal["last", "best", "none"],
            default="last",
            help="The checkpoint that is tested at the end: of the final epoch, of the best validation, or none.",
        )
        self._parser("fit").add_argument(
            "--checkpoint_every",
            type=str | None,
            default=None,
            help="How often last.ckpt is written inside an epoch: '100 steps' or, as in trainer.yaml, '5 minutes'.",
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Name the run, and link the model's shapes to the datamodule's."""
        parser.add_argument(
            "--name", type=str, default="default", help="Name of the run, for loggers that are given none."
        )
        for name in LINKED:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """See `LightningCLI.parse_arguments`."""
        assert isinstance(args, list)
        try:
            self.config = parser.parse_args(args)
        except ArgumentError as error:
            raise UserError(user_errors.explain(str(error), self._parser(args[0]))) from error
        options = self.config[args[0]]
        require_no_secret(options.as_dict())
        settings, seed, name = options["trainer"], options["seed_everything"], options["name"]
        if not isinstance(settings, Namespace):  # which jsonargparse lets pass
            raise UserError(f"trainer: expected a mapping of options, got '{settings}'.")
        require_sensible(settings.as_dict())
        if not isinstance(seed, bool) and not 0 <= seed < 2**32:
            raise UserError(f"seed_everything (={seed}) must lie in [0, {2**32 - 1}].")
        if not name or Path(name).is_absolute() or ".." in Path(name).parts:
            raise UserError(f"name (='{name}') must be that of a folder below the loggers' folder, e.g. mine or a/b.")

    def _parse_ckpt_path(self) -> None:
        """Keep the settings that were given: Lightning's would silently replace them by the checkpoint's."""

    def instantiate_classes(self) -> None:
        """See `LightningCLI.instantiate_classes`."""
        builder = Builder(self)
        try:
            self.config_init = self.parser.instantiate(self.config, instantiators=builder.instantiators())
            self.datamodule = self.config_init[self.subcommand]["data"]
            self.model = self.config_init[self.subcommand]["model"]
            self.trainer = self.instantiate_trainer()
        except Exception as error:
            if builder.failure is not None:
                raise builder.failure from error
            if isinstance(error, MISTAKES):
                raise UserError(user_errors.shorten(str(error))) from error
            raise
        builder.release()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """See `LightningCLI.instantiate_trainer`."""
        settings = self.config_init[self.subcommand]["trainer"]
        callbacks = _listed(settings["callbacks"])
        # These switches mean the callbacks of trainer.yaml too, where Lightning would refuse the contradiction.
        for switch, kind in {"enable_progress_bar": ProgressBar, "enable_checkpointing": ModelCheckpoint}.items():
            if settings[switch] is False:
                callbacks = [each for each in callbacks if not isinstance(each, kind)]
        if self.subcommand == "predict":
            callbacks = self._with_writer(callbacks)
        if self.subcommand == "prune":
            # The others' pictures and files are those of one set of weights.
            callbacks = [each for each in callbacks if isinstance(each, ProgressBar)]
        if settings["max_time"] is not None:
            # Its own Timer, which notes the time of training too; beside ours Lightning would pass over the limit.
            callbacks = [each for each in callbacks if not _is_clock(each)]
        settings["callbacks"] = self._with_keepers(callbacks) if self.subcommand == "fit" else callbacks
        plugins = _listed(settings["plugins"])
        if not any(isinstance(each, CheckpointIO) for each in plugins):
            settings["plugins"] = [*plugins, WholeFileCheckpointIO()]
        return super().instantiate_trainer(**kwargs)

    def _with_writer(self, callbacks: list[Callback]) -> list[Callback]:
        """The callbacks of a prediction, one of which writes; where a file is named, it is ours that does."""
        output = self.config["predict"]["output"]
        if output is None and any(isinstance(each, PredictionWriter | BasePredictionWriter) for each in callbacks):
            return callbacks
        if isinstance(self.datamodule, OwnData) and self.datamodule.predict is not None and output is not None:
            source = Path(self.datamodule.predict).expanduser()
            if Path(output).expanduser().resolve() == source.resolve():
                raise UserError(f"--output (={output}) is the file that is predicted from. Name another.")
        others = [each for each in callbacks if not isinstance(each, PredictionWriter)]
        return [*others, PredictionWriter(output)]

    def _with_keepers(self, callbacks: list[Callback]) -> list[Callback]:
        """The callbacks of a training, with those that a resumed run needs, and `LastCheckpoint` behind all others."""
        last = [each for each in callbacks if isinstance(each, LastCheckpoint)]
        every = self.config["fit"]["checkpoint_every"]
        if every is not None:
            if not last:
                raise UserError(f"checkpoint_every (={every}) needs the callback LastCheckpoint of trainer.yaml.")
            last = [LastCheckpoint(every)]
        # What it writes has the state of the others.
        others = (each for each in callbacks if not isinstance(each, LastCheckpoint))
        return [DeletedFolder(), *others, MetricsFile(), *last]

    def fit(self, model: LightningModule, datamodule: LightningDataModule, ckpt_path: str | None) -> None:
        """See `Session.fit`."""
        options, ood = self.config["fit"], self.config_init["fit"]["ood"]
        Session(self.trainer, model, datamodule, ood).fit(ckpt_path, options["weights"], options["test_checkpoint"])

    def validate(self, model: LightningModule, datamodule: LightningDataModule, ckpt_path: str | None) -> None:
        """See `Session.validate`."""
        Session(self.trainer, model, datamodule).validate(ckpt_path)

    def test(self, model: LightningModule, datamodule: LightningDataModule, ckpt_path: str | None) -> None:
        """See `Session.test`."""
        Session(self.trainer, model, datamodule, self.config_init["test"]["ood"]).test(ckpt_path)

    def predict(self, model: LightningModule, datamodule: LightningDataModule, ckpt_path: str | None) -> None:
        """See `Session.predict`."""
        Session(self.trainer, model, datamodule).predict(ckpt_path)


class Description(CommandLine):
    """Prints what a function makes of the parsers of all commands, by name, and ends the process as `--help` does."""

    def __init__(self, describe: Callable[[Mapping[str, ArgumentParser]], str]) -> None:
        self._describe = describe
        install()
        with quiet():
            super().__init__([], METHODS)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> NoReturn:
        """See `LightningCLI.parse_arguments`, behind which the command would be run."""
        print(self._describe({command: self._parser(command) for command in METHODS}))
        raise SystemExit(0)


def _listed(value: Any) -> list[Any]:
    """What is given as a list, as a single object or not at all."""
    return value if isinstance(value, list) else [] if value is None else [value]
