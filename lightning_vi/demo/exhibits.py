"""What the page has to show: the models of checkpoints, sorted by what can be done with them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lightning.pytorch import LightningModule

from lightning_vi.demo.classification import Classifier, classifier
from lightning_vi.errors import UserError
from lightning_vi.latent_space import Generative, NothingToDraw, generative, require_images
from lightning_vi.loading import load
from lightning_vi.modules import GAN, SupervisedModule


class Exhibits(NamedTuple):
    """Models by their names.

    Attributes:
        classifiers: By the side of their images: those that can be asked about the same drawing.
        decoders: Whose latent variables can be set one by one.
        generators: Whose noise can be walked through; single variables of it mean nothing.
    """

    classifiers: dict[int, list[Classifier]]
    decoders: dict[str, Generative]
    generators: dict[str, Generative]


def exhibits(paths: Sequence[Path]) -> Exhibits:
    """Load checkpoints.

    Raises:
        UserError: For one that is given twice, that cannot be loaded, or whose model cannot be shown.
    """
    found = Exhibits({}, {}, {})
    for name, path in named(paths).items():
        module = load(path, LightningModule)
        if isinstance(module, SupervisedModule):
            shown = classifier(name, module, path)
            found.classifiers.setdefault(shown.side, []).append(shown)
            continue
        try:
            model = generative(module)
            require_images(model)
        except NothingToDraw as reason:
            raise UserError(f"{path}: {reason}.") from reason
        (found.generators if isinstance(module, GAN) else found.decoders)[name] = model
    return found


def named(paths: Sequence[Path]) -> dict[str, Path]:
    """Checkpoints by names for a reader: `bbb_mnist/version_0` of runs/bbb_mnist/version_0/checkpoints/last.ckpt.

    Where two would have the same name all have their paths.

    Raises:
        UserError: For a path that is given twice.
    """
    for number, path in enumerate(paths):
        if path in paths[:number]:
            raise UserError(f"{path} is given twice.")
    names = {_name(path): path for path in paths}
    return names if len(names) == len(paths) else {str(path): path for path in paths}


def _name(path: Path) -> str:
    parts = path.parts
    return "/".join(parts[-4:-2]) if len(parts) > 3 and parts[-2] == "checkpoints" else path.stem
