from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from lightning_vi.plots.style import BLUE, GREY, style

NUMBERED = 32  # bars that have room for a number each


def usage_bars(kl: Sequence[ArrayLike], active: Sequence[ArrayLike]) -> Figure:
    """KL of each latent variable, from the highest to the lowest, a panel for each layer.

    Args:
        kl: For each layer, (D_l,), nats. What is not finite has no bar.
        active: For each layer, which are used, (D_l,), bool.

    References:
        Burda, Grosse, Salakhutdinov 2016, Importance Weighted Autoencoders, section 5.2.
    """
    with style():
        figure = Figure(figsize=(7.2, 0.6 + 2.8 * len(kl)), layout="constrained")
        panels = figure.subplots(len(kl), 1, squeeze=False)[:, 0]
        for number, (axes, values, used) in enumerate(zip(panels, kl, active, strict=True), start=1):
            kl_of_layer = np.asarray(values, dtype=np.float64)
            _draw(axes, np.where(np.isfinite(kl_of_layer), kl_of_layer, np.nan), np.asarray(used, dtype=bool))
            if len(kl) > 1:
                axes.set_title(f"Layer {number}")
        figure.suptitle("KL of the latent variables")
    return figure


def _draw(axes: Axes, kl: NDArray[np.float64], active: NDArray[np.bool_]) -> None:
    order = np.argsort(-kl, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(kl))
    for colour, chosen, label in ((BLUE, active, "active"), (GREY, ~active, "not active")):
        if chosen.any():
            axes.bar(place[chosen], kl[chosen], color=colour, width=0.85, label=f"{label}: {chosen.sum()}")
    if len(kl) <= NUMBERED:
        axes.set_xticks(range(len(kl)), [str(variable) for variable in order])
        axes.set_xlabel("Latent variable, by KL")
    else:
        axes.set_xlabel("Latent variables, by KL")
        axes.set_xticks([0, len(kl) - 1], ["1", str(len(kl))])
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_xlim(-0.6, len(kl) - 0.4)
    axes.set_ylabel("KL (nats)")
    axes.legend()
