from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lightning_vi.plots.latent_tiles import WIDTH, framed, mosaic


def manifold_grid(images: ArrayLike) -> Figure:
    """Images over two latent variables, without space between them.

    Args:
        images: (R, N, C, H, W) with C = 1 or 3, in [0, 1]; the first variable rises from left to right, the second
            from the last row to the first.

    References:
        Kingma, Welling 2014, Auto-Encoding Variational Bayes, figure 4.
    """
    canvas = mosaic(images, space=0.0)
    room = 0.28
    width = WIDTH * min(1.0, canvas.shape[1] / canvas.shape[0])
    title = "Latent manifold, in equal steps of prior probability"
    figure, axes = framed(canvas, width, title, left=room, bottom=room)
    axes.set_xlabel(r"Latent variable 0 $\rightarrow$", labelpad=3)
    axes.set_ylabel(r"Latent variable 1 $\rightarrow$", labelpad=3)
    return figure
