from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from lightning_vi.plots.style import BLUE, INK, ORANGE, make_logarithmic, style

COLOURS = (ORANGE, BLUE)


def pruning_curve(
    fractions: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    published: Mapping[float, float],
    ylabel: str,
) -> Figure:
    """A score against the fraction of weights removed.

    The axis is logarithmic in the fraction that is left: what happens between 90 % and 99 % is as wide as what happens
    up to 90 %.

    Args:
        fractions: Fractions removed, F numbers in [0, 1), ascending.
        curves: For each of at most two labels its scores, (F,).
        published: Scores of others at fractions in [0, 1), drawn as points; may be empty.
        ylabel: The score and its unit.

    References:
        Blundell et al., Weight Uncertainty in Neural Networks, 2015, table 2.
    """
    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        axes = figure.add_subplot()
        left = [1 - fraction for fraction in fractions]
        for (label, values), colour in zip(curves.items(), COLOURS, strict=False):
            axes.plot(left, values, color=colour, marker="o", markersize=4.5, label=label)
        if published:
            places = [1 - fraction for fraction in published]
            axes.plot(places, list(published.values()), "D", color=INK, markersize=5, label="published")
        axes.set_xscale("log")
        shown = [*left, *(1 - fraction for fraction in published)]
        axes.set_xlim(1.15 * max(shown), min(shown) / 1.15)
        axes.set_xticks(left, [f"{100 * fraction:.4g} %" for fraction in fractions])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(xlabel="Weights removed, lowest signal-to-noise first", ylabel=ylabel)
        lowest, highest = axes.dataLim.intervaly
        if 0 < 5 * lowest < highest:
            make_logarithmic(axes)
        axes.legend()
    return figure
