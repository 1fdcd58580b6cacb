from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lightning_vi.plots import code_scatter
from lightning_vi.plots.style import BLUE


@pytest.mark.parametrize("count", [3, 10, 47])
def test_colours_follow_classes(count: int) -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(500, 2))
    classes = 5 * random.integers(count, size=500) + 2  # any numbers
    axes: Any = code_scatter(points, classes, "x", "y").axes[0]
    scatter, *samples = axes.collections
    np.testing.assert_array_equal(scatter.get_offsets(), points)
    colours = scatter.get_facecolors()[:, :3]
    names = {text.get_text(): to_rgb(each.get_facecolor()[0, :3]) for text, each in legend(axes, samples)}
    assert list(names) == [str(each) for each in np.unique(classes)]
    assert len(set(names.values())) == count
    for colour, each in zip(colours, classes, strict=True):
        np.testing.assert_allclose(colour, names[str(each)])


def legend(axes: Any, samples: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(axes.get_legend().get_texts(), samples, strict=True))


def test_without_classes_there_is_one_colour_and_no_legend() -> None:
    axes: Any = code_scatter(np.zeros((4, 2)), None, "x", "y").axes[0]
    np.testing.assert_allclose(axes.collections[0].get_facecolors()[0, :3], to_rgb(BLUE))
    assert axes.get_legend() is None
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
