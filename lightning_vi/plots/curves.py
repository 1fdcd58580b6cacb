from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightning_vi.plots.style import BLUE, ORANGE, RED, make_logarithmic, number, style

JUDGEMENT, LOSS = "Judgement of the discriminator", "Loss"
ERROR, RMSE, MSE, ELBO = "Error (%)", "Root mean squared error", "Squared error per pixel", "ELBO (nats per example)"
TEMPERED = "Tempered, not the ELBO (nats per example)"
CURVES = {
    "val/error": (ERROR, "validation", BLUE),
    "test/error": (ERROR, "test", RED),
    "val/rmse": (RMSE, "validation", BLUE),
    "test/rmse": (RMSE, "test", RED),
    "val/mse": (MSE, "validation", BLUE),
    "test/mse": (MSE, "test", RED),
    "train/elbo": (ELBO, "training", ORANGE),
    "train/tempered_not_elbo": (TEMPERED, "training", ORANGE),
    "val/elbo": (ELBO, "validation", BLUE),
    "test/elbo": (ELBO, "test", RED),
    "train/real": (JUDGEMENT, "data, D(x)", BLUE),
    "train/fake": (JUDGEMENT, "generated, D(G(z))", ORANGE),
    "train/discriminator_loss": (LOSS, "discriminator", BLUE),
    "train/generator_loss": (LOSS, "generator", ORANGE),
}


def learning_curves(history: Mapping[str, Mapping[int, float]]) -> Figure:
    """Error and ELBO over epochs, side by side; for a regression RMSE, for an autoencoder the squared error.

    Of a GAN the discriminator's judgements and both losses.

    A panel without values is left out.

    Args:
        history: For each name of `CURVES` its values, by the number of epochs trained: errors in percent,
            ELBO in nats per example. Absent or empty curves are left out.

    Raises:
        ValueError: If there is no value at all.
    """
    present = [name for name in CURVES if history.get(name)]
    if not present:
        raise ValueError(f"learning_curves: history (={dict(history)}) must hold values for one of {list(CURVES)}.")
    panels = list(dict.fromkeys(CURVES[name][0] for name in present))
    with style():
        figure = Figure(figsize=(4.4 * len(panels), 3.2), layout="constrained")
        axes = dict(zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True))
        for name in present:
            panel, label, colour = CURVES[name]
            _draw(axes[panel], history[name], label, colour)
        for panel in panels:
            axes[panel].set(xlabel="Epoch", ylabel=panel)
            axes[panel].xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
            _keep_the_end_readable(axes[panel])
            axes[panel].legend()
    return figure


def _draw(axes: Axes, values: Mapping[int, float], label: str, colour: str) -> None:
    epochs = sorted(values)
    marker = "o" if len(epochs) <= 30 else ""
    # The last value stands in the legend: at the curves' ends two of them would overlap.
    text = f"{label}, last {number(values[epochs[-1]], '.3g')}"
    axes.plot(epochs, [values[epoch] for epoch in epochs], color=colour, marker=marker, markersize=3.5, label=text)


def _keep_the_end_readable(axes: Axes) -> None:
    """A logarithmic axis where a tall first epoch would flatten the rest of the curve."""
    lowest, highest = axes.dataLim.intervaly
    if 0 < 10 * lowest < highest:
        make_logarithmic(axes)
