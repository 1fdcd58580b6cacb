from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lightning_vi.plots.style import BLUE, GREY, INK, ORANGE, RED, number, style

COLOURS = (GREY, ORANGE, BLUE, RED, INK)
DASHES = ("-", "--", ":")


def errors_over_epochs(curves: Mapping[str, Sequence[Mapping[int, float]]], title: str, ylabel: str) -> Figure:
    """An error over epochs, for several rows: the mean over seeds within a band from the lowest to the highest seed.

    The axis is cut where a tall start would flatten the rest, and says so.

    Args:
        curves: For each row's label, in the legend's order, a curve for each seed: values, which are the better the
            lower, by the number of epochs trained. A row is drawn at the epochs that all its seeds have.
        title: Title.
        ylabel: The error with its unit.

    Raises:
        ValueError: If there is no row, or if a row's seeds have no epoch in common.

    References:
        Blundell et al., Weight Uncertainty in Neural Networks, 2015, figure 2.
    """
    if not curves:
        raise ValueError("errors_over_epochs: curves (={}) must hold at least one row.")
    with style():
        figure = Figure(figsize=(7.2, 4.4), layout="constrained")
        axes = figure.add_subplot()
        bands = {label: _band(label, seeds) for label, seeds in curves.items()}
        looks = zip(cycle(COLOURS), (dash for dash in cycle(DASHES) for _ in COLOURS), strict=False)
        for (label, (epochs, values)), (colour, dash) in zip(bands.items(), looks, strict=False):
            mean = values.mean(axis=0)
            if len(values) > 1:
                axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)
            marker = "o" if len(epochs) <= 30 else ""
            text = f"{label}, last {number(mean[-1], '#.3g')}"
            axes.plot(epochs, mean, dash, color=colour, marker=marker, markersize=3.5, linewidth=1.4, label=text)
        several = any(len(values) > 1 for _, values in bands.values())
        axes.set(xlabel="Epoch (line: mean, band: range over seeds)" if several else "Epoch", ylabel=ylabel)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        _cut(axes, list(bands.values()))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1 + (len(curves) > 3), borderaxespad=0.2)
        figure.suptitle(title)
    return figure


def _band(label: str, seeds: Sequence[Mapping[int, float]]) -> tuple[list[int], NDArray[np.float64]]:
    """Epochs (E,) that all seeds have, and the values of S seeds there, (S, E)."""
    epochs = sorted(set.intersection(*(set(seed) for seed in seeds))) if seeds else []
    if not epochs:
        raise ValueError(f"errors_over_epochs: the {len(seeds)} seeds of '{label}' must have an epoch in common.")
    return epochs, np.array([[seed[epoch] for epoch in epochs] for seed in seeds])


def _cut(axes: Axes, bands: Sequence[tuple[list[int], NDArray[np.float64]]]) -> None:
    """Cut off what only the first fifth of the rows' values reaches, or 1.6 times the highest end, if it helps."""
    everything = _finite(values for _, values in bands)
    late = _finite(values[:, len(epochs) // 5 :] for epochs, values in bands)
    ends = _finite(values[:, -1:] for _, values in bands)
    if not (late.size and ends.size):
        return
    lowest, highest, top = everything.min(), everything.max(), late.max()
    if lowest >= 0:
        top = min(top, 1.6 * ends.max())
    if highest - lowest <= 1.5 * (top - lowest):
        top = highest
    margin = 0.05 * (top - lowest) or 0.05 * abs(top) or 1.0
    axes.set_ylim(max(lowest - margin, 0) if lowest > 0 else lowest - margin, top + margin)
    if highest > top + margin:
        axes.annotate("↑ the axis is cut", (1, 1), (-4, -4), "axes fraction", "offset points", ha="right", va="top")


def _finite(parts: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = np.concatenate([part.ravel() for part in parts])
    return values[np.isfinite(values)]
