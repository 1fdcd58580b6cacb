"""The pictures of ``results/hmc.md``: the same scale in all panels."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.hmc.problems import INSIDE, Problem
from lightning_vi.plots.style import BLUE, GREY, INK, ORANGE, RED, make_logarithmic, style
from lightning_vi.predictive import Predictive

_COLOURS = (INK, RED, BLUE, ORANGE)


def bands(problem: Problem, methods: Mapping[str, Sequence[Predictive]]) -> Figure:
    """Mean and bands of each method over the line, the first one's in every panel, and the widths of all.

    Args:
        problem: The regression.
        methods: For each method's name its predictive distributions at the grid, one for each seed. The first seed's
            is drawn, and of the widths all.
    """
    x, (reference, *_) = _numbers(problem.grid), next(iter(methods.values()))
    with style():
        figure = Figure(figsize=(3.2 * len(methods), 6.8), layout="constrained")
        top, bottom = figure.subfigures(2, 1, squeeze=False).flat
        panels = top.subplots(1, len(methods), sharey=True, squeeze=False)[0]
        for axes, (name, (predictive, *_)) in zip(panels, methods.items(), strict=True):
            _bands(axes, problem, predictive, reference)
            axes.set(title=name, xlabel="x", xlim=(x[0], x[-1]), ylim=_limits(reference))
        panels[0].set_ylabel("y")
        top.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        widths = bottom.subplots()
        inside = problem.regions(problem.grid)[INSIDE].numpy()
        everywhere = widths.get_xaxis_transform()
        widths.fill_between(x, 0, 1, where=inside, color=GREY, alpha=0.18, linewidth=0, transform=everywhere)
        for (name, predictives), colour in zip(methods.items(), _COLOURS, strict=False):
            for number, predictive in enumerate(predictives):
                width = np.sqrt(_numbers(predictive.epistemic_variance))
                widths.plot(x, width, color=colour, linewidth=1.2, label=None if number else name)
        make_logarithmic(widths)
        widths.set(xlabel="x (grey: training inputs)", ylabel="sd of f(x)", xlim=(x[0], x[-1]))
        widths.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(methods), borderaxespad=0.2)
    return figure


def maps(problem: Problem, methods: Mapping[str, Sequence[Predictive]]) -> Figure:
    """Predictive entropy and mutual information of each method over the plane, for the first seed.

    Args:
        problem: The classification, whose grid is the product of two axes of equal length.
        methods: See :func:`bands`.
    """
    side = round(len(problem.grid) ** 0.5)
    x, y = (_numbers(problem.grid[:, dimension]).reshape(side, side) for dimension in (0, 1))
    inputs, targets = (tensor.numpy() for tensor in problem.training.tensors)
    firsts = {name: predictive for name, (predictive, *_) in methods.items()}
    rows = {
        "predictive entropy, nats": {name: predictive.entropy for name, predictive in firsts.items()},
        "mutual information, nats": {name: predictive.mutual_information for name, predictive in firsts.items()},
    }
    with style():
        figure = Figure(figsize=(3.0 * len(methods) + 0.6, 6.2), layout="constrained")
        panels = figure.subplots(len(rows), len(methods), sharex=True, sharey=True, squeeze=False)
        for line, (label, values) in zip(panels, rows.items(), strict=True):
            top = max(value.max().item() for value in values.values())
            for axes, (name, value) in zip(line, values.items(), strict=True):
                shades = _numbers(value).reshape(side, side)
                mesh = axes.pcolormesh(x, y, shades, vmin=0.0, vmax=top, cmap="viridis", rasterized=True)
                half = _numbers(firsts[name].probabilities[:, 1]).reshape(side, side)
                axes.contour(x, y, half, levels=[0.5], colors="white", linewidths=1.2)
                for target, colour, marker in ((0, "white", "o"), (1, RED, "^")):
                    chosen = inputs[targets == target]
                    axes.scatter(*chosen.T, s=9, color=colour, marker=marker, edgecolors=INK, linewidths=0.4)
                axes.set_aspect("equal")
                axes.grid(False)
            figure.colorbar(mesh, ax=list(line), label=label, shrink=0.9)
        for axes, name in zip(panels[0], methods, strict=True):
            axes.set_title(name)
    return figure


def _bands(axes: Axes, problem: Problem, predictive: Predictive, reference: Predictive) -> None:
    x, mean = _numbers(problem.grid), _numbers(predictive.mean)
    for variance, alpha, label in (
        (predictive.variance, 0.18, "± 2 sd of y"),
        (predictive.epistemic_variance, 0.36, "± 2 sd of f(x)"),
    ):
        width = 2 * np.sqrt(_numbers(variance))
        axes.fill_between(x, mean - width, mean + width, color=BLUE, alpha=alpha, linewidth=0, label=label)
    axes.plot(x, mean, color=RED, label="mean", zorder=3)
    centre, width = _numbers(reference.mean), 2 * np.sqrt(_numbers(reference.epistemic_variance))
    edges = np.stack([centre - width, centre + width], axis=1)
    axes.plot(x, edges, "--", color=INK, linewidth=1.0, label=["NUTS' ± 2 sd of f(x)", "_"])
    inputs, targets = (tensor.numpy() for tensor in problem.training.tensors)
    axes.scatter(inputs, targets, s=8, marker="x", color=INK, linewidth=0.6, label="training data")


def _limits(predictive: Predictive) -> tuple[float, float]:
    mean, width = _numbers(predictive.mean), 2.3 * np.sqrt(_numbers(predictive.variance))
    return float((mean - width).min()), float((mean + width).max())


def _numbers(tensor: Tensor) -> NDArray[np.float64]:
    """A flat array."""
    array: NDArray[np.float64] = tensor.detach().double().flatten().numpy()
    return array
