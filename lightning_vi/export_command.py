"""The command `lightning-vi export`: a checkpoint's model for elsewhere, without any pickle."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from lightning.pytorch import LightningModule

from lightning_vi import program, tensor_file
from lightning_vi.errors import UserError
from lightning_vi.loading import load, saved_model
from lightning_vi.options import parsed

PROGRAM = ".pt2"


def run(arguments: Sequence[str]) -> None:
    """Run the command.

    Args:
        arguments: Those behind `export`.

    Raises:
        UserError: for a mistake in the arguments, or a checkpoint that cannot be exported.
    """
    options = parsed(parser(), arguments)
    if options.checkpoint is None:  # jsonargparse would tell it as a configuration that is missing
        raise UserError("export needs a checkpoint, e.g. runs/NAME/version_0/checkpoints/last.ckpt.")
    source = Path(options.checkpoint)
    target = source.with_suffix(tensor_file.SUFFIX) if options.to is None else Path(options.to)
    if target.suffix not in (tensor_file.SUFFIX, PROGRAM):
        raise UserError(
            f"--to {target}: the name must end in {tensor_file.SUFFIX}, for the model's weights and settings, or in "
            f"{PROGRAM}, for its network at the posterior mean."
        )
    module = load(source, LightningModule)  # which refuses what could not be loaded from the new file either
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == PROGRAM:
        program.write(module, target)
    else:
        tensor_file.write(saved_model(source), target)
    print(target)


def parser() -> ArgumentParser:
    """The parser of the command."""
    parser = ArgumentParser(
        prog="lightning-vi export",
        description="Write a checkpoint's model as a file without any pickle: its weights and settings, which "
        "`lightning_vi.loading.load` reads, or its network at the posterior mean, which runs without this package.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("checkpoint", type=str | None, nargs="?", help="A checkpoint of `lightning-vi fit`.")
    parser.add_argument(
        "--to",
        type=str | None,
        default=None,
        help="FILE.safetensors for weights and settings, by default beside the checkpoint; FILE.pt2 for the network.",
    )
    return parser
