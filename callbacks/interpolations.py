import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from lightning_vi.callbacks.examples import Examples, first_examples
from lightning_vi.callbacks.latent_picture import LatentPicture
from lightning_vi.latent_paths import lines
from lightning_vi.latent_space import NothingToDraw, codes, decoded, encoder_decoder, require_images
from lightning_vi.plots import image_rows

SEARCHED = 1000
"""Test examples among which pairs are looked for."""


class Interpolations(LatentPicture):
    """Draws expected images on straight lines between the codes of test examples, as `interpolations`.

    The two examples of a pair, which are shown at either end, are of different classes where there are classes.

    Args:
        pairs: How many lines.
        steps: Images on a line, both ends included.

    Raises:
        UserError: Unless there is a pair, and two steps.
    """

    name = "interpolations"

    def __init__(self, pairs: int = 6, steps: int = 9) -> None:
        super().__init__()
        self._require_at_least(1, pairs=pairs)
        self._require_at_least(2, steps=steps)
        self.pairs, self.steps = pairs, steps

    def figure(self, trainer: Trainer, module: LightningModule) -> Figure:
        """See `LatentPicture.figure`."""
        model = encoder_decoder(module)
        require_images(model)
        examples = first_examples(trainer, SEARCHED)
        chosen = pairs(examples, self.pairs)
        if not chosen:
            raise NothingToDraw(f"the first {len(examples.inputs)} test examples are of one class")
        first, last = examples.inputs[torch.tensor(chosen)].to(module.device).unbind(dim=1)
        images = decoded(model, lines(codes(model, first), codes(model, last), self.steps))
        ends = (each.float().clamp(0, 1).unsqueeze(1) for each in (first, last))
        shown = torch.cat((next(ends), images.float(), next(ends)), dim=1)
        labels = ["original", *[""] * self.steps, "original"]
        return image_rows(shown.cpu(), "Interpolations between the codes of test examples", column_labels=labels)


def pairs(examples: Examples, count: int) -> list[tuple[int, int]]:
    """Numbers of at most `count` pairs of examples of different classes, each the nearest in the data's order."""
    classes = range(len(examples.inputs)) if examples.classes is None else examples.classes.tolist()
    found: list[tuple[int, int]] = []
    waiting: int | None = None
    for number, each in enumerate(classes):
        if waiting is None:
            waiting = number
        elif each != classes[waiting]:
            found.append((waiting, number))
            waiting = None
    return found[:count]
