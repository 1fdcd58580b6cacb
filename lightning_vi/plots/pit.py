import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lightning_vi.plots.style import BLUE, INK, RED, style


def pit_histogram(counts: ArrayLike) -> Figure:
    """Histogram of the levels F(y) of targets under their predictive distributions (probability integral transform).

    Of a calibrated distribution they are uniform. A hump in the middle: too wide; a bowl: too narrow; a slope: biased.
    The grey band is where 95 % of the bars of a calibrated one lie, by the normal approximation of the binomial.

    Args:
        counts: Number of targets in each bin of equal width, (bins,).

    References:
        Dawid (1984), Present Position and Potential Developments: The Prequential Approach. Gneiting, Balabdaoui and
        Raftery (2007), Probabilistic forecasts, calibration and sharpness, section 3.1.
    """
    found = np.asarray(counts, dtype=np.float64)
    total, bins = found.sum(), found.size
    density = found * bins / total
    half = 1.96 * np.sqrt((bins - 1) / total)  # of a count with mean total / bins, in units of that mean
    with style():
        figure = Figure(figsize=(5.6, 3.4), layout="constrained")
        axes = figure.add_subplot()
        axes.bar((np.arange(bins) + 0.5) / bins, density, width=0.94 / bins, color=BLUE, alpha=0.6)
        axes.axhline(1, color=RED, linestyle="--", linewidth=1.4, label="calibrated")
        axes.axhspan(max(1 - half, 0), 1 + half, color=INK, alpha=0.12, linewidth=0, label="95 % of its bars")
        axes.set(xlim=(0, 1), xlabel="Level of the target, F(y)", ylabel="Density")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
        figure.suptitle(f"Probability integral transform of {total:,.0f} targets")
    return figure
