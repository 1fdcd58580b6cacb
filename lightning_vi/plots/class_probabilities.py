import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from lightning_vi.plots.style import BLUE, DARK_BLUE, RED, style

SPREAD = 0.3
"""How far the draws' points lie from the middle of their bar, at most; a bar is 0.8 wide."""


def class_probabilities(draws: ArrayLike, single: ArrayLike | None = None) -> Figure:
    """The mean of draws of class probabilities as bars, each draw as a point, from left to right in their order.

    Args:
        draws: (S, K); if S = 1, the bars alone.
        single: Of the single network that the draws are compared with, (K,); None if there is none.
    """
    each = np.asarray(draws, dtype=np.float64)
    count, classes = each.shape
    positions = np.arange(classes)
    with style():
        figure = Figure(figsize=(6.4, 2.9), layout="constrained")
        axes = figure.add_subplot()
        label = "one network" if count == 1 else f"mean of {count} draws"
        axes.bar(positions, each.mean(axis=0), color=BLUE, alpha=0.35, label=label)
        if count > 1:
            places = positions + np.linspace(-SPREAD, SPREAD, count)[:, None]
            axes.plot(places.ravel(), each.ravel(), ".", color=DARK_BLUE, markersize=4, alpha=0.6, label="each draw")
        if single is not None:
            axes.plot(positions, np.asarray(single), "D", color=RED, fillstyle="none", label="single network")
        axes.set(xlabel="Class", ylabel="Probability", ylim=(-0.03, 1.03), xlim=(-0.6, classes - 0.4))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=20, integer=True))
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside upper center", ncols=3)
    return figure
