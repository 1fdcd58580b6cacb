import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from lightning_vi.plots.style import BLUE, style

FEW = 10  # classes that have easily told colours


def code_scatter(points: ArrayLike, classes: ArrayLike | None, xlabel: str, ylabel: str) -> Figure:
    """Codes in two dimensions, coloured by class.

    Args:
        points: (N, 2)
        classes: Numbers of the classes, (N,), or None if there are none.
        xlabel: What the first coordinate is.
        ylabel: What the second is.
    """
    across, upwards = np.asarray(points, dtype=np.float64).T
    size = float(np.clip(4000 / len(across), 4, 22))
    with style():
        figure = Figure(figsize=(6.4, 5.4), layout="constrained")
        axes = figure.add_subplot()
        if classes is None:
            axes.scatter(across, upwards, s=size, color=BLUE, alpha=0.6, linewidth=0)
        else:
            labels = np.asarray(classes)
            present = np.unique(labels)
            colours = mpl.colormaps["tab10" if len(present) <= FEW else "turbo"].resampled(max(FEW, len(present)))
            # In the examples' order: drawn class by class, the last one would hide the others.
            chosen = colours(np.searchsorted(present, labels))
            axes.scatter(across, upwards, s=size, c=chosen, alpha=0.75, linewidth=0)
            for number, name in enumerate(present):
                axes.scatter([], [], s=36, color=colours(number), linewidth=0, label=str(name))
            columns = -(-len(present) // 20)
            axes.legend(title="class", loc="center left", bbox_to_anchor=(1, 0.5), ncols=columns, handletextpad=0.2)
        axes.set_aspect("equal", adjustable="datalim")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
        axes.set(xlabel=xlabel, ylabel=ylabel)
        figure.suptitle(f"Codes of {len(across):,} test examples")
    return figure
