import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lightning_vi.plots.style import BLUE, INK, RED, style


def learned_map(
    z: ArrayLike, learned: ArrayLike, true: ArrayLike, samples: ArrayLike, x: ArrayLike, density: ArrayLike
) -> Figure:
    """A generator of numbers beside the monotone map that has the data's distribution exactly.

    Args:
        z: Standard normal noise in ascending order, (G,).
        learned: The generator at z, (G,).
        true: The quantile function of the data at the normal distribution function of z, (G,).
        samples: What the generator makes of noise, (N,).
        x: Numbers in ascending order, (H,).
        density: The data's density there, (H,).
    """
    line = np.asarray(x, dtype=np.float64)
    with style():
        figure = Figure(figsize=(8.4, 3.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(np.asarray(z), np.asarray(true), color=INK, label="quantile function of the data")
        left.plot(np.asarray(z), np.asarray(learned), color=BLUE, label="generator")
        left.set(xlabel="noise h, standard normal", ylabel="x")
        right.hist(np.asarray(samples), bins=100, range=(line[0], line[-1]), density=True, color=BLUE, alpha=0.4)
        right.plot(line, np.asarray(density), color=RED, label="density of the data")
        right.set(xlabel="x", ylabel="density")
        for axes in (left, right):
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), borderaxespad=0.2)
    return figure
