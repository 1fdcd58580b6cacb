from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_vi.datamodules.image_files import decoded, images_below, stacked
from lightning_vi.errors import UserError

COLOURS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def test_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decoded(tmp_path / "a.png", False, None), COLOURS.transpose(2, 0, 1))
    brightness = COLOURS @ np.array([0.299, 0.587, 0.114])  # ITU-R 601-2
    np.testing.assert_allclose(decoded(tmp_path / "a.png", True, None)[0], brightness, atol=1)
    assert decoded(tmp_path / "a.png", False, (8, 5)).shape == (3, 8, 5)


def test_a_smaller_image_has_the_means_of_the_larger(tmp_path: Path) -> None:
    Image.fromarray(np.repeat(np.repeat(COLOURS, 9, axis=0), 9, axis=1)).save(tmp_path / "a.png")
    smaller = decoded(tmp_path / "a.png", False, (4, 6)).transpose(1, 2, 0).astype(float)
    assert np.abs(smaller - COLOURS).mean() < 25
    assert abs(smaller.mean() - COLOURS.mean()) < 1


def test_a_photograph_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(decoded(tmp_path / "a.png", False, None)[0], np.rot90(COLOURS[..., 0], -1))


def test_mistakes_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder of images"):
        images_below(tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no images"):
        images_below(tmp_path)
    for name, shape in (("a.png", (4, 6)), ("b.png", (4, 4))):
        Image.fromarray(COLOURS[: shape[0], : shape[1]]).save(tmp_path / name)
    with pytest.raises(UserError, match=r"b\.png has 4 x 4 pixels, but a\.png has 4 x 6\. Give a size"):
        stacked(images_below(tmp_path), False, None)
    assert stacked(images_below(tmp_path), True, (2, 2)).shape == (2, 1, 2, 2)
    content = (tmp_path / "a.png").read_bytes()
    for broken in (b"", b"<html>", content[:60], content[: len(content) // 2]):
        (tmp_path / "c.png").write_bytes(broken)
        with pytest.raises(UserError, match=r"c\.png cannot be decoded: .* Remove or mend it"):
            decoded(tmp_path / "c.png", False, None)
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "d.png")
    with pytest.raises(UserError, match=r"d\.png has more than 8 bits a channel \(mode I;16\)"):
        decoded(tmp_path / "d.png", True, None)
