from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lightning_vi.plots.style import BLUE, INK, RED, style


def predictive_bands(
    x: ArrayLike,
    mean: ArrayLike,
    bands: Mapping[float, tuple[ArrayLike, ArrayLike]],
    data: tuple[ArrayLike, ArrayLike] | None,
) -> Figure:
    """Mean and central intervals of a predictive distribution over a line, with the training points.

    Args:
        x: Inputs in ascending order, (G,).
        mean: The predictive mean, (G,).
        bands: For a lower level q < 1/2 the predictive quantiles at q and 1 - q, each (G,).
        data: Training inputs (N,) and targets (N,), if at hand.

    References:
        Blundell et al., Weight Uncertainty in Neural Networks, 2015, figure 5.
    """
    grid = np.asarray(x, dtype=np.float64)
    with style():
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.add_subplot()
        for index, level in enumerate(sorted(bands)):
            low, high = (np.asarray(quantile, dtype=np.float64) for quantile in bands[level])
            label = f"{100 * level:.0f} % to {100 * (1 - level):.0f} %"
            axes.fill_between(grid, low, high, color=BLUE, alpha=0.16 + 0.2 * index, linewidth=0, label=label)
        if data is not None:
            axes.scatter(*data, s=10, marker="x", color=INK, linewidth=0.6, alpha=0.6, label="training data")
        axes.plot(grid, np.asarray(mean), color=RED, label="predictive mean", zorder=3)
        axes.set_xlim(grid[0], grid[-1])
        axes.set(xlabel="x", ylabel="y")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, borderaxespad=0.2)
        figure.suptitle("Predictive distribution")
    return figure
