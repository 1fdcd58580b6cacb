"""Move the latent variables of a model, and see the image."""

import random

import gradio
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_vi.demo.generation import drawn_code, most_active, moved, picture
from lightning_vi.demo.look import INSTANT, PIXELS
from lightning_vi.latent_pictures import REACH
from lightning_vi.latent_space import Generative

SLIDERS = 10


def build(model: Generative) -> None:
    """Put the tab into the page."""
    size = model.sizes[-1]
    variables = most_active(model, SLIDERS)
    origin = torch.zeros(size)

    def image(code: Tensor) -> NDArray[np.uint8]:
        return picture(model, code.unsqueeze(0))

    def move(code: Tensor, *values: float) -> tuple[Tensor, NDArray[np.uint8]]:
        code = moved(code, dict(zip(variables, values, strict=True)))
        return code, image(code)

    def jump(code: Tensor) -> list[object]:
        return [code, image(code), *(round(code[variable].item(), 2) for variable in variables)]

    def draw() -> list[object]:
        return jump(drawn_code(size, seed=random.getrandbits(63)))

    code = gradio.State(origin)
    with gradio.Row():
        with gradio.Column(scale=1, min_width=300):
            shown = gradio.Image(
                image(origin),
                show_label=False,
                height=340,
                elem_classes=PIXELS,
                buttons=[],
                interactive=False,
            )
            with gradio.Row():
                random_code = gradio.Button("Random code", variant="primary")
                zero = gradio.Button("Zero code")
        with gradio.Column(scale=2):
            others = "" if len(variables) == size else f" of {size}, those that change the image most; the others stay"
            gradio.Markdown(f"{len(variables)} latent variables{others}.")
            sliders = [
                gradio.Slider(-REACH, REACH, 0.0, step=0.01, label=f"latent {variable}") for variable in variables
            ]
    for slider in sliders:
        slider.input(move, [code, *sliders], [code, shown], **INSTANT)
    random_code.click(draw, None, [code, shown, *sliders], **INSTANT)
    zero.click(lambda: jump(origin), None, [code, shown, *sliders], **INSTANT)
