from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_vi.datamodules import MNIST, Digits, UnitInterval
from lightning_vi.demo.drawing import digit, ink


def drawn(image: Tensor, zoom: int = 10, offset: tuple[int, int] = (3, 17)) -> Tensor:
    """An image (1, side, side) as somebody might have drawn it, somewhere on a larger canvas."""
    canvas = torch.zeros(300, 320)
    pixels = image[0].repeat_interleave(zoom, dim=0).repeat_interleave(zoom, dim=1)
    canvas[offset[0] : offset[0] + len(pixels), offset[1] : offset[1] + len(pixels)] = pixels
    return canvas


def test_mnists_own_digits_come_back(mnist_root: Path) -> None:
    data = MNIST(root=mnist_root, scaling=UnitInterval())
    data.setup()
    images = data.test_dataloader().dataset.tensors[0][:300]
    for image in images:
        found = digit(drawn(image), 28)
        assert found is not None
        torch.testing.assert_close(found, image, atol=1e-5, rtol=0)


def test_the_bundled_digits_come_back() -> None:
    data = Digits()
    data.setup()
    images = data.test_dataloader().dataset.tensors[0]
    same = 0
    for image in images:
        found = digit(drawn(image), 8)
        assert found is not None
        same += torch.allclose(found, image, atol=1e-5)
        # They were not centred by mass: some come back one pixel further to the left or to the right.
        assert any(torch.allclose(found, image.roll(shift, dims=2), atol=1e-5) for shift in (-1, 0, 1))
    assert same > 0.85 * len(images)


@pytest.mark.parametrize("side", [8, 28])
def test_size_and_place_on_the_canvas_do_not_matter(side: int) -> None:
    image = torch.zeros(1, side, side)
    image[0, 1:7, 2:5] = torch.rand(6, 3) + 0.1
    first, second = (digit(drawn(image, zoom, offset), side) for zoom, offset in ((4, (0, 0)), (10, (19, 35))))
    assert first is not None
    assert second is not None
    torch.testing.assert_close(first, second, atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", [8, 16, 28])
def test_a_stroke_is_scaled_and_centred(side: int) -> None:
    canvas = torch.zeros(280, 280)
    canvas[10:210, 40:80] = 1.0
    image = digit(canvas, side)
    assert image is not None
    box = {8: 8, 16: 11, 28: 20}[side]
    assert image[0].amax(dim=1).sum() == box
    assert image[0].amax(dim=0).sum() == round(box / 5)
    centre = (image[0].sum(dim=0) @ torch.arange(float(side)) / image.sum()).item()
    assert abs(centre - {8: 3.5, 16: 8.0, 28: 14.0}[side]) <= 0.5


def test_proportions_are_kept_and_thin_strokes_do_not_vanish() -> None:
    canvas = torch.zeros(280, 280)
    canvas[100, 10:270] = 1.0
    image = digit(canvas, 28)
    assert image is not None
    assert (image > 0).sum(dim=(1, 2)).item() == 20
    assert image.sum() == 20


def test_ink_is_what_is_dark_and_opaque() -> None:
    canvas = np.zeros((2, 2, 4), dtype=np.uint8)
    canvas[0, 0] = (0, 0, 0, 255)
    canvas[0, 1] = (255, 255, 255, 255)
    canvas[1, 0] = (0, 0, 0, 51)
    canvas[1, 1] = (102, 102, 102, 255)
    torch.testing.assert_close(ink(canvas), torch.tensor([[1.0, 0.0], [0.2, 0.6]]))


def test_an_empty_canvas_has_no_digit() -> None:
    assert digit(torch.zeros(280, 280), 28) is None
