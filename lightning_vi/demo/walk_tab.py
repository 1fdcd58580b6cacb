"""Walk through the noise of a generator."""

import gradio
import numpy as np
import torch
from numpy.typing import NDArray

from lightning_vi.demo.generation import picture, walk
from lightning_vi.demo.look import INSTANT, PIXELS
from lightning_vi.latent_space import Generative

STEPS = 9
"""Images of the whole way."""

LAST = 2**31 - 1
"""The largest seed."""


def build(model: Generative) -> None:
    """Put the tab into the page."""
    size = model.sizes[-1]

    # An empty field is None, and as good as 0.
    def at(first: int | None, second: int | None, position: float) -> NDArray[np.uint8]:
        return picture(model, walk(size, (first or 0, second or 0), torch.tensor([position])))

    def way(first: int | None, second: int | None) -> NDArray[np.uint8]:
        return picture(model, walk(size, (first or 0, second or 0), torch.linspace(0, 1, STEPS)))

    def start(first: int | None, second: int | None, position: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return at(first, second, position), way(first, second)

    with gradio.Row():
        with gradio.Column(scale=1, min_width=300):
            here = gradio.Image(
                at(0, 1, 0.0),
                show_label=False,
                height=340,
                elem_classes=PIXELS,
                buttons=[],
                interactive=False,
            )
        with gradio.Column(scale=2):
            with gradio.Row():
                first, second = (
                    gradio.Number(seed, label=f"Seed of the noise at the {end}", precision=0, minimum=0, maximum=LAST)
                    for seed, end in enumerate(("start", "end"))
                )
            position = gradio.Slider(0.0, 1.0, 0.0, step=0.01, label="Position between them")
            gradio.Markdown("The whole way")
            whole = gradio.Image(way(0, 1), show_label=False, elem_classes=PIXELS, buttons=[], interactive=False)
    position.input(at, [first, second, position], here, **INSTANT)
    for seed in (first, second):
        seed.input(start, [first, second, position], [here, whole], **INSTANT)
