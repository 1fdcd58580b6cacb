from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lightning_vi.plots.style import BLUE, GREY, INK, ORANGE, RED, style

COLOURS = (GREY, ORANGE, RED, BLUE, INK)


def shift_curves(
    amounts: Sequence[float], panels: Mapping[str, Mapping[str, Sequence[float]]], xlabel: str, title: str
) -> Figure:
    """Scores of several models against the amount of a shift of the data, side by side.

    Args:
        amounts: A numbers, ascending.
        panels: For each score with its unit, for each model's label (at most five, the same in all panels) its values,
            (A,).
        xlabel: The shift with its unit.
        title: Title.

    References:
        Ovadia et al. (2019), Can You Trust Your Model's Uncertainty? Evaluating Predictive Uncertainty Under Dataset
        Shift, figure 1.
    """
    with style():
        figure = Figure(figsize=(3.7 * len(panels), 3.6), layout="constrained")
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (score, curves) in zip(row, panels.items(), strict=True):
            for (label, values), colour in zip(curves.items(), COLOURS, strict=False):
                axes.plot(amounts, values, color=colour, marker="o", markersize=3.5, label=label)
            axes.set(xlabel=xlabel, ylabel=score, xlim=(amounts[0], amounts[-1]))
            axes.set_ylim(bottom=0)
        handles, labels = row[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        figure.suptitle(title)
    return figure
