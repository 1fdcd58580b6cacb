"""Drawing and pricing parameters of different priors: those of one prior together, in one pass."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_vi.posteriors import FactorisedGaussian
from lightning_vi.priors import Prior, PriorRule
from lightning_vi.reparameterisation import draw_and_price


class Group(NamedTuple):
    """Parameters with one prior, in the network's order."""

    prior: Prior
    names: Sequence[str]


class PriorGroups:
    """A network's random parameters by their priors.

    Args:
        rule: Gives each parameter its prior; equal priors are one.
        shapes: The parameters' names, each with its shape.
    """

    def __init__(self, rule: PriorRule, shapes: Mapping[str, torch.Size]) -> None:
        self._shapes = dict(shapes)
        priors = rule.assign(shapes)
        groups: list[tuple[Prior, list[str]]] = []  # no dictionary: priors of a user's own need not be hashable
        for name in shapes:
            names = next((names for prior, names in groups if prior == priors[name]), None)
            if names is None:
                groups.append((priors[name], [name]))
            else:
                names.append(name)
        self.groups = [Group(*group) for group in groups]

    def draw_and_price(
        self,
        mu: Tensor,
        rho: Tensor,
        epsilon: Tensor,
        posterior: FactorisedGaussian,
        fast: bool,
        kept: Tensor | None,
        dtype: torch.dtype,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See :func:`~lightning_vi.reparameterisation.draw_and_price`.

        Returns:
            The complexity term, shape (), in nats, summed over groups; and each parameter's weights by its name.
        """
        if len(self.groups) == 1:
            shapes = list(self._shapes.values())
            kl, pieces = draw_and_price(mu, rho, epsilon, self.groups[0].prior, posterior, shapes, fast, kept, dtype)
            return kl, dict(zip(self._shapes, pieces, strict=True))
        mus, rhos, epsilons = self._split(mu), self._split(rho), self._split(epsilon)
        keeps = None if kept is None else self._split(kept)
        kls: list[Tensor] = []
        weights: dict[str, Tensor] = {}
        for prior, names in self.groups:
            kl, pieces = draw_and_price(
                _joined(mus, names),
                _joined(rhos, names),
                _joined(epsilons, names),
                prior,
                posterior,
                [self._shapes[name] for name in names],
                fast,
                None if keeps is None else _joined(keeps, names),
                dtype,
            )
            kls.append(kl)
            weights.update(zip(names, pieces, strict=True))
        return torch.stack(kls).sum(), {name: weights[name] for name in self._shapes}

    def _split(self, flat: Tensor) -> dict[str, Tensor]:
        sizes = [shape.numel() for shape in self._shapes.values()]
        return dict(zip(self._shapes, flat.split(sizes), strict=True))


def _joined(pieces: Mapping[str, Tensor], names: Sequence[str]) -> Tensor:
    return torch.cat([pieces[name] for name in names])
