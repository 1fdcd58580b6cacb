import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lightning_vi.plots.style import BLUE, RED, number, percent_axis, style


def signal_to_noise(ratios: ArrayLike, cutoff: float = 0.75, floor: float = -30.0) -> Figure:
    """Density and cumulative distribution of |mu|/sigma over all weights, in decibel: 10 log10(|mu|/sigma).

    Args:
        ratios: |mu|/sigma of every weight, any shape. A pruned weight, 0/0, has no signal and counts as 0.
        cutoff: Fraction of the weights left of the red line; the paper marks 75 %.
        floor: Left end of the axis in dB. Weights of inputs that never fire lie hundreds of dB below it: they
            count in both panels' normalisation, and the left panel tells their fraction.

    References:
        Blundell et al., Weight Uncertainty in Neural Networks, 2015, figure 3.
    """
    flat = np.nan_to_num(np.asarray(ratios, dtype=np.float64).ravel(), nan=0.0)
    with np.errstate(divide="ignore"):
        decibel = np.sort(10 * np.log10(flat))
    low = max(floor, decibel[0])
    high = max(decibel[-1], low + 1)
    edges = np.linspace(low, high, 101)
    density = np.histogram(decibel, edges)[0] / (flat.size * np.diff(edges))
    cumulative = np.searchsorted(decibel, edges, side="right") / flat.size
    below = np.searchsorted(decibel, low) / flat.size
    marked = decibel[int(np.ceil(cutoff * flat.size)) - 1]
    with style():
        figure = Figure(figsize=(8.8, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2, sharex=True)
        left.stairs(density, edges, fill=True, color=BLUE, alpha=0.35)
        left.stairs(density, edges, color=BLUE, linewidth=1.4)
        left.set_ylabel("Density (per dB)")
        left.set_ylim(0, 1.2 * density.max() or 1)  # room for the note above the curve
        if below > 0:
            note = f"{100 * below:.1f} % below {number(low, '.0f')} dB"
            left.text(0.03, 0.95, note, transform=left.transAxes, va="top", color=BLUE)
        right.plot(edges, cumulative, color=BLUE)
        right.set_ylabel("Weights below")
        right.set_ylim(0, 1.02)
        right.yaxis.set_major_formatter(percent_axis())
        note = f"{100 * cutoff:.0f} % below {number(marked, '.1f')} dB"
        right.text(0.03, 0.95, note, transform=right.transAxes, va="top", color=RED)
        for axes in (left, right):
            axes.set_xlabel(r"$10\,\log_{10}(|\mu|/\sigma)$ (dB)")
            axes.set_xlim(low, high)
            axes.axvline(marked, color=RED, linewidth=1.4, linestyle="--")
        figure.suptitle(f"Signal-to-noise ratio of {flat.size:,} weights")
    return figure
