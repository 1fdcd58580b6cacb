"""The one look of all our pictures."""

from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

BLUE, DARK_BLUE, RED, ORANGE, GREY, INK = "#2c6fbb", "#1b4675", "#c8382d", "#d97b12", "#8a8f98", "#22262b"

RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#4a4f57",
    "axes.grid": True,
    "axes.labelsize": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 12,
    "figure.dpi": 150,
    "figure.titlesize": 12,
    "font.size": 10,
    "grid.color": "#e3e6ea",
    "grid.linewidth": 0.8,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


def style() -> AbstractContextManager[None]:
    """The context in which a figure is made; matplotlib's own settings are as before after it."""
    return mpl.rc_context(RC)


def plain_axis() -> FuncFormatter:
    """Ticks as 1, 10, 1,000 on a logarithmic axis, where matplotlib writes powers."""
    return FuncFormatter(lambda value, _: f"{value:,g}")


def make_logarithmic(axes: Axes) -> None:
    """A logarithmic vertical axis with ticks as 1, 2, 5, 10."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(plain_axis())
    axes.yaxis.set_minor_formatter(NullFormatter())


def percent_axis() -> PercentFormatter:
    """Ticks as 20 % for fractions of 1."""
    return PercentFormatter(1.0, decimals=0, symbol=" %")


def number(value: float, spec: str) -> str:
    """The value formatted by `spec`, with a minus sign as on the axes in place of the hyphen."""
    return f"{value:{spec}}".replace("-", "\N{MINUS SIGN}")
