"""Draw a digit, and see what classifiers say of it."""

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio
import numpy as np

from lightning_vi.demo.classification import Classifier, Verdict
from lightning_vi.demo.drawing import digit, ink
from lightning_vi.demo.look import INSTANT, PIXELS, VERDICTS
from lightning_vi.plots import class_probabilities
from lightning_vi.plots.latent_tiles import SPACE, mosaic

CANVAS = 320
"""Pixels of a side."""

BRUSH = 12
"""Radius in these pixels: a digit that fills the canvas has strokes of 1.5 of MNIST's pixels, a smaller one thicker."""

COLUMNS = ("model", "class", "probability", "entropy", "mutual information", "single network")
NOTE = "Entropy and mutual information are in nats. The single network is that of the posterior's mean."


def build(classifiers: Sequence[Classifier], draws: int) -> None:
    """Put the tab into the page.

    Args:
        classifiers: Of images of one side.
        draws: Weight draws of each posterior.
    """
    side = classifiers[0].side
    with gradio.Row():
        with gradio.Column(scale=1, min_width=CANVAS + 40):
            # Labels of their own, since Gradio's lie over what they name.
            gradio.HTML("Take the brush and draw a digit")
            canvas = gradio.Sketchpad(
                show_label=False,
                canvas_size=(CANVAS, CANVAS),
                fixed_canvas=True,
                height=CANVAS + 100,
                image_mode="RGBA",
                brush=gradio.Brush(default_size=BRUSH, colors=["#000000"], color_mode="fixed"),
                layers=False,
                transforms=(),
                sources=(),
                buttons=[],
            )
            gradio.HTML(f"What the models see: {side} x {side} pixels")
            seen = gradio.Image(
                show_label=False,
                height=180,
                elem_classes=PIXELS,
                buttons=[],
                interactive=False,
            )
        with gradio.Column(scale=2):
            table = gradio.HTML(rows([], []), elem_classes=VERDICTS)
            plots = []
            for each in classifiers:
                gradio.HTML(escape(each.name))
                plots.append(gradio.Plot(show_label=False, format="png"))

    def judge(drawn: dict[str, Any] | None) -> list[Any]:
        """What the components behind the canvas show of it."""
        picture = None if drawn is None or drawn["composite"] is None else ink(drawn["composite"])
        image = None if picture is None else digit(picture, side)
        if image is None:
            return [None, rows([], []), *(None for _ in classifiers)]
        verdicts = [each.verdict(image, draws) for each in classifiers]
        pixels = np.round(255 * mosaic(image[None, None], SPACE)).astype(np.uint8)
        figures = [class_probabilities(each.draws, each.single) for each in verdicts]
        return [pixels, rows([each.name for each in classifiers], verdicts), *figures]

    canvas.change(judge, canvas, [seen, table, *plots], **INSTANT)


def rows(names: Sequence[str], verdicts: Sequence[Verdict]) -> str:
    """What models say, as a table in HTML."""
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "".join(f"<tr>{_row(name, verdict)}</tr>" for name, verdict in zip(names, verdicts, strict=True))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{NOTE}</p>"


def _row(name: str, verdict: Verdict) -> str:
    probability, label = verdict.mean.max(dim=0)
    single = "none"
    if verdict.single is not None:
        largest, its_label = verdict.single.max(dim=0)
        single = f"{its_label.item()} with {largest.item():.3f}"
    cells = (
        escape(name),
        str(label.item()),
        f"{probability.item():.3f}",
        f"{verdict.entropy:.3f}",
        f"{verdict.mutual_information:.3f}",
        single,
    )
    return "".join(f"<td>{cell}</td>" for cell in cells)
