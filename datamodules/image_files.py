"""Images in files: found, decoded and told by name where they are damaged."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lightning_vi.errors import UserError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
DEEP = ("I", "F")
"""Modes of Pillow with more than 8 bits a channel begin so."""


def images_below(folder: Path) -> list[Path]:
    """All images in a folder and the folders in it, in the order of their paths.

    Raises:
        UserError: If there is no such folder, or no image.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder of images.")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise UserError(f"{folder} holds no images. They are known by their names: {', '.join(sorted(SUFFIXES))}.")
    return found


def decoded(path: Path, grey: bool, size: tuple[int, int] | None) -> np.ndarray:
    """The pixels of an image, (C, H, W) uint8, upright as its camera has noted.

    Args:
        path: Its file.
        grey: Whether C is 1, the brightness, or 3, red, green and blue.
        size: H and W to resize it to; None to leave it.

    Raises:
        UserError: If it cannot be decoded, or has more than 8 bits a channel.
    """
    try:
        with Image.open(path) as file:
            mode = file.mode
            image = ImageOps.exif_transpose(file)
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise UserError(f"{path} cannot be decoded: {' '.join(str(error).split())[:120]} Remove or mend it.") from error
    if mode.startswith(DEEP):
        raise UserError(f"{path} has more than 8 bits a channel (mode {mode}). Save it with 8.")
    image = image.convert("L" if grey else "RGB")
    if size is not None and image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if grey else pixels.transpose(2, 0, 1)


def stacked(paths: list[Path], grey: bool, size: tuple[int, int] | None) -> np.ndarray:
    """The pixels of images of one size, (N, C, H, W) uint8, N at least 1; see `decoded`.

    Raises:
        UserError: Or if their sizes differ.
    """
    first = decoded(paths[0], grey, size)
    pixels = np.empty((len(paths), *first.shape), np.uint8)
    for place, path in enumerate(paths):
        image = decoded(path, grey, size)
        if image.shape != first.shape:
            raise UserError(
                f"{path} has {image.shape[1]} x {image.shape[2]} pixels, but {paths[0].name} has {first.shape[1]} x "
                f"{first.shape[2]}. Give a size to resize all to."
            )
        pixels[place] = image
    return pixels
