import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from lightning_vi.plots.style import BLUE, GREY, RED, percent_axis, style


def accuracy_rejection(risks: ArrayLike) -> Figure:
    """Accuracy on the predictions that are kept, against the share that is rejected, least confident first.

    Beside it that of rejecting all errors first, which no classifier can beat, and that of rejecting at random. Each is
    given with its AURC, the mean of one minus the curve.

    Args:
        risks: r_1, ..., r_N in [0, 1], shares of errors among the k most confident predictions; N at least 1.

    References:
        Nadeem, Zucker and Hanczar (2010), Accuracy-Rejection Curves for Comparing Classification Methods with a Reject
        Option.
    """
    found = np.asarray(risks, dtype=np.float64)
    kept = np.arange(1, found.size + 1)
    error = found[-1]
    best = np.clip(1 - (1 - error) * found.size / kept, 0, None)
    with style():
        figure = Figure(figsize=(5.6, 3.8), layout="constrained")
        axes = figure.add_subplot()
        for name, curve, colour, dashes in (
            ("errors first", best, GREY, "--"),
            ("least confident first", found, BLUE, "-"),
            ("at random", np.full_like(found, error), RED, ":"),
        ):
            label = f"{name}, AURC {curve.mean():.5f}"
            axes.plot(1 - kept / found.size, 1 - curve, dashes, color=colour, label=label)
        axes.set(xlim=(0, 1), xlabel="Rejected", ylabel="Accuracy on the rest")
        axes.xaxis.set_major_formatter(percent_axis())
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))  # with the decimals that it takes
        axes.legend(loc="center right")
        figure.suptitle("Accuracy against rejection")
    return figure
