"""Pictures of what a model has learnt that need no data: they start from the prior N(0, I) of its last layer."""

import torch
from matplotlib.figure import Figure

from lightning_vi import latent_paths
from lightning_vi.latent_space import Generative, NothingToDraw, along, prior_samples, require_images
from lightning_vi.plots import image_rows, manifold_grid
from lightning_vi.plots.style import number

REACH = 3.0
"""How far traversals go from 0 in either direction, in standard deviations of the prior."""


def samples(model: Generative, rows: int, columns: int, seed: int) -> Figure:
    """Expected images of draws from the prior.

    Raises:
        NothingToDraw: If the model's data are no images, as for all pictures here.
    """
    require_images(model)
    images = prior_samples(model, rows * columns, seed).unflatten(0, (rows, columns))
    return image_rows(images.cpu(), "Samples from the prior")


def manifold(model: Generative, rows: int, columns: int, seed: int) -> Figure:
    """Images on a grid of two latent variables, see :func:`latent_paths.inverse_normal_grid`.

    Raises:
        NothingToDraw: If the last layer has not two latent variables.
    """
    require_images(model)
    size = model.sizes[-1]
    if size != 2:
        raise NothingToDraw(f"a manifold needs 2 latent variables, and the model has {size}")
    return manifold_grid(along(model, latent_paths.inverse_normal_grid(rows, columns), seed).cpu())


def traversals(model: Generative, rows: int, columns: int, seed: int) -> Figure:
    """One latent variable at a time from -3 to 3, the others at 0; those that change the image most come first."""
    require_images(model)
    values = traversed(columns)
    images, variables = traversal_images(model, values, seed)
    chosen = variables[:rows]
    labels = [f"latent {variable}" for variable in chosen]
    title = "Traversals of single latent variables around the prior's mean"
    return image_rows(images[chosen].cpu(), title, labels, value_labels(values))


def traversal_images(model: Generative, values: torch.Tensor, seed: int) -> tuple[torch.Tensor, list[int]]:
    """Images (D, T, C, H, W) of each latent variable at T values, the others at 0; and the variables in their order.

    Those that change the image most come first. The change is the mean over pixels of the variance over the values.
    """
    size = model.sizes[-1]
    images = along(model, latent_paths.axes(torch.zeros(size), range(size), values), seed)
    change = images.var(dim=1, correction=0).flatten(start_dim=1).mean(dim=-1)
    order: list[int] = change.argsort(descending=True, stable=True).tolist()
    return images, order


def interpolations(model: Generative, rows: int, columns: int, seed: int) -> Figure:
    """Straight lines between draws from the prior."""
    require_images(model)
    generator = torch.Generator().manual_seed(seed)
    starts, ends = torch.randn(2, rows, model.sizes[-1], generator=generator)
    images = along(model, latent_paths.lines(starts, ends, columns), seed)
    return image_rows(images.cpu(), "Interpolations between draws from the prior")


def traversed(steps: int) -> torch.Tensor:
    """Values of a traversed variable, (steps,)."""
    return torch.linspace(-REACH, REACH, steps)


def value_labels(values: torch.Tensor) -> list[str]:
    """Values (T,) as texts, such as −0.75."""
    return [number(value, ".3g") for value in values.tolist()]
