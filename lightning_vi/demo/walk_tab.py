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


def build(model: Generative) -> None:
    """Put the tab into the page."""
    size = model.sizes[-1]

    def at(first: float, second: float, position: float) -> NDArray[np.uint8]:
        return picture(model, walk(size, (int(first), int(second)), torch.tensor([position])))

    def way(first: float, second: float) -> NDArray[np.uint8]:
        return picture(model, walk(size, (int(first), int(second)), torch.linspace(0, 1, STEPS)))

    def start(first: float, second: float, position: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return at(first, second, position), way(first, second)

    with gradio.Row():
        with gradio.Column(scale=1, min_width=300):
            here = gradio.Image(
                at(0, 1, 0.0),
                label="The image here",
                height=340,
                elem_classes=PIXELS,
                buttons=[],
                interactive=False,
            )
        with gradio.Column(scale=2):
            with gradio.Row():
                first = gradio.Number(0, label="Seed of the noise at the start", precision=0, minimum=0)
                second = gradio.Number(1, label="Seed of the noise at the end", precision=0, minimum=0)
            position = gradio.Slider(0.0, 1.0, 0.0, step=0.01, label="Position between them")
            whole = gradio.Image(way(0, 1), label="The whole way", elem_classes=PIXELS, buttons=[], interactive=False)
    position.input(at, [first, second, position], here, **INSTANT)
    for seed in (first, second):
        seed.input(start, [first, second, position], [here, whole], **INSTANT)
