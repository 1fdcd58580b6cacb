"""The reliability diagram of a classifier and its expected calibration error.

Predictions are sorted into bins of equal width by confidence, the probability of the predicted class. With
n_b predictions in bin b, of accuracy acc_b and mean confidence conf_b,

    ECE = sum_b (n_b / N) |acc_b - conf_b|.

References:
    Guo et al., On Calibration of Modern Neural Networks, 2017, equations 2 and 3, figure 1.
"""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lightning_vi.plots.style import BLUE, DARK_BLUE, GREY, RED, percent_axis, plain_axis, style


def calibration_error(counts: ArrayLike, confidence: ArrayLike, correct: ArrayLike) -> float:
    """The expected calibration error, between 0 and 1.

    Args:
        counts: Number of predictions in each bin, (bins,).
        confidence: Sum of the predictions' confidences in each bin, (bins,).
        correct: Number of right predictions in each bin, (bins,).
    """
    gap = np.asarray(correct, dtype=np.float64) - np.asarray(confidence, dtype=np.float64)
    return float(np.abs(gap).sum() / np.asarray(counts).sum())


def reliability_diagram(counts: ArrayLike, confidence: ArrayLike, correct: ArrayLike) -> Figure:
    """Accuracy against confidence, above the histogram of confidences.

    The whiskers are Wilson's 95 % intervals: a bin of three predictions says little, and should look so.

    Args:
        counts: Number of predictions in each bin, (bins,).
        confidence: Sum of the predictions' confidences in each bin, (bins,).
        correct: Number of right predictions in each bin, (bins,).
    """
    filled = np.asarray(counts) > 0
    width = 1 / filled.size
    centres = ((np.arange(filled.size) + 0.5) * width)[filled]
    n, right = (np.asarray(values, dtype=np.float64)[filled] for values in (counts, correct))
    accuracy, z = right / n, 1.96
    middle = (accuracy + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(accuracy * (1 - accuracy) / n + z**2 / (4 * n**2))
    # rounding may leave -1e-17 where the interval ends at the accuracy itself
    whiskers = np.clip([accuracy - middle + half, middle + half - accuracy], 0, None)
    with style():
        figure = Figure(figsize=(4.6, 5.2), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        top.bar(centres, accuracy, width=0.94 * width, color=BLUE, alpha=0.5, label="accuracy, 95 % interval")
        top.errorbar(centres, accuracy, whiskers, fmt="none", ecolor=DARK_BLUE, elinewidth=1.2, capsize=2.5)
        top.plot([0, 1], [0, 1], color=RED, linestyle="--", linewidth=1.4, label="calibrated")
        top.set(ylim=(0, 1.01), ylabel="Accuracy")
        top.yaxis.set_major_formatter(percent_axis())
        top.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
        bottom.bar(centres, n, width=0.94 * width, color=GREY)
        bottom.set(yscale="log", ylabel="Predictions", xlim=(0, 1))
        bottom.set_ylim(bottom=0.5)
        bottom.set_xlabel("Confidence (probability of the predicted class)")
        bottom.yaxis.set_major_formatter(plain_axis())
        bottom.xaxis.set_major_formatter(percent_axis())
        error = 100 * calibration_error(counts, confidence, correct)
        figure.suptitle(f"Expected calibration error {error:.2f} %")
    return figure
