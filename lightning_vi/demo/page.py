"""The page: a tab to draw on for classifiers of images of one size, and one for each generative model."""

import gradio

from lightning_vi.demo import drawing_tab, sliders_tab, walk_tab
from lightning_vi.demo.exhibits import Exhibits

HOUR = 3600


def page(shown: Exhibits, draws: int) -> gradio.Blocks:
    """The page of models.

    Args:
        shown: What is there to see.
        draws: Weight draws of each posterior.
    """
    # Gradio writes what is shown into its temporary folder, and deletes it before the end with this alone.
    blocks = gradio.Blocks(title="lightning-vi", analytics_enabled=False, delete_cache=(HOUR, HOUR))
    with blocks:
        for side, classifiers in shown.classifiers.items():
            title = "Draw" if len(shown.classifiers) == 1 else f"Draw, {side} x {side} pixels"
            with gradio.Tab(title):
                drawing_tab.build(classifiers, draws)
        for name, model in shown.decoders.items():
            with gradio.Tab(name):
                sliders_tab.build(model)
        for name, model in shown.generators.items():
            with gradio.Tab(name):
                walk_tab.build(model)
    return blocks
