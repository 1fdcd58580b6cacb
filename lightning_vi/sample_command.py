"""The command `lightning-vi sample`: pictures of what a checkpoint's model makes of its prior, without any data."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from jsonargparse import ArgumentParser, Namespace
from lightning.pytorch import LightningModule
from matplotlib.figure import Figure

from lightning_vi import latent_pictures
from lightning_vi.errors import UserError
from lightning_vi.latent_space import Generative, NothingToDraw, generative
from lightning_vi.loading import load
from lightning_vi.options import parsed


class Picture(NamedTuple):
    """What can be drawn.

    Attributes:
        draw: Takes the model, the numbers of rows and columns, and the seed.
        rows: By default.
        columns: By default.
    """

    draw: Callable[[Generative, int, int, int], Figure]
    rows: int
    columns: int


PICTURES = {
    "prior": Picture(latent_pictures.samples, 8, 10),
    "manifold": Picture(latent_pictures.manifold, 20, 20),
    "traversals": Picture(latent_pictures.traversals, 8, 9),
    "interpolations": Picture(latent_pictures.interpolations, 6, 9),
}


def run(arguments: Sequence[str]) -> None:
    """Run the command.

    Args:
        arguments: Those behind `sample`.

    Raises:
        UserError: for a mistake in the arguments, or a checkpoint that cannot be sampled.
    """
    options = parsed(parser(), arguments)
    for name, least in (("rows", 1), ("columns", 2), ("seed", 0)):
        if options[name] is not None and options[name] < least:
            raise UserError(f"--{name} (={options[name]}) must be at least {least}.")
    if options.checkpoint is None:  # jsonargparse would tell it as a configuration that is missing
        raise UserError("sample needs a checkpoint, e.g. runs/NAME/version_0/checkpoints/last.ckpt.")
    path = Path(options.checkpoint)
    module = load(path, LightningModule)
    folder = _folder(path) if options.out is None else Path(options.out)
    try:
        model = generative(module)
        written = _draw(model, options, folder)
    except NothingToDraw as reason:
        raise UserError(f"{path}: {reason}.") from reason
    for file in written:
        print(file)


def _draw(model: Generative, options: Namespace, folder: Path) -> list[Path]:
    """Save the pictures that are asked for, or all that the model has; their files."""
    figures: dict[str, Figure] = {}
    for name in options.what or PICTURES:
        picture = PICTURES[name]
        rows, columns = options.rows or picture.rows, options.columns or picture.columns
        try:
            figures[name] = picture.draw(model, rows, columns, options.seed)
        except NothingToDraw:
            # Not every model has a manifold: it need not be told unless it was asked for.
            if options.what or name != "manifold":
                raise
    files = [folder / f"{name}.png" for name in figures]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, figure in zip(files, figures.values(), strict=True):
            figure.savefig(file, dpi=figure.dpi)
    except OSError as error:
        raise UserError(f"--out {folder}: {error.strerror}.") from error
    return files


def _folder(path: Path) -> Path:
    """`samples` in the run's folder, which has its checkpoints in `checkpoints`; else beside the checkpoint."""
    parent = path.parent
    return (parent.parent if parent.resolve().name == "checkpoints" else parent) / "samples"


def parser() -> ArgumentParser:
    """The parser of the command."""
    parser = ArgumentParser(
        prog="lightning-vi sample",
        description="Draw what the model of a checkpoint makes of its prior: samples, the manifold of two latent "
        "variables, traversals of single ones, straight lines between draws. No data are needed.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("checkpoint", type=str | None, nargs="?", help="A checkpoint of `lightning-vi fit`.")
    parser.add_argument("--out", type=str | None, default=None, help="Folder; by default `samples` in the run's.")
    parser.add_argument(
        "--what",
        type=Literal[tuple(PICTURES)],
        nargs="+",
        default=[],
        help="The pictures; by default all that the model has. A manifold needs two latent variables.",
    )
    parser.add_argument("--rows", type=int | None, default=None, help="Rows of images; by default what suits.")
    parser.add_argument("--columns", type=int | None, default=None, help="Images in a row; by default what suits.")
    parser.add_argument("--seed", type=int, default=0, help="Of the draws.")
    return parser
