"""A network, its prior and likelihood, and data so few that a sampler can explore the posterior."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import make_moons
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from lightning_vi.likelihoods import Categorical, Gaussian, Likelihood
from lightning_vi.networks import MLP
from lightning_vi.priors import Gaussian as GaussianPrior

INSIDE, GAP, OUTSIDE = "inside", "gap", "outside"
NEAR, FAR = "near", "far"
_PRIOR = GaussianPrior(sigma=1.0)
_NOISE = 0.1
_EDGES = (0.7, 2.0)  # the inputs of the line have their absolute values between these
_REACH = 0.4  # an input of the plane is near the data if a training input is not farther than this


Regions = Mapping[str, Tensor]
"""For each region's name which of N inputs lie in it, (N,), bool: a partition of them."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What the sampler and the package's own training are both given.

    Attributes:
        name: Its name.
        hidden: Units of the hidden layers, with tanh between them.
        likelihood: p(y | f(x)), known: nothing in it is trained.
        target_size: Number of classes, or dimension of the target.
        training: The data.
        test: Fresh data, also of regions where there is nothing to train on.
        grid: Inputs (G, D) to compare predictions at.
        regions: Those of inputs (N, D).
        prior: Density of each weight and bias.
    """

    name: str
    hidden: tuple[int, ...]
    likelihood: Likelihood
    target_size: int
    training: TensorDataset
    test: TensorDataset
    grid: Tensor
    regions: Callable[[Tensor], Regions]
    prior: GaussianPrior = _PRIOR

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.grid.shape[1:])

    @property
    def network(self) -> partial[MLP]:
        """Makes the network of an input shape and an output size."""
        return partial(MLP, hidden=self.hidden, activation=nn.Tanh)

    def new_network(self) -> MLP:
        """A network with fresh initial weights."""
        return self.network(self.input_shape, self.likelihood.output_size(self.target_size))


def line(size: int = 40, hidden: tuple[int, ...] = (50,)) -> Problem:
    """Regression y = sin 2x + epsilon with a gap in the inputs; epsilon ~ N(0, 0.1^2), known.

    Half of the inputs are uniform on [-2, -0.7], half on [0.7, 2]. Test inputs are uniform on [-3, 3].
    """
    rng = np.random.default_rng(0)
    low, high = _EDGES
    side = np.where(np.arange(size) < size // 2, -1.0, 1.0)
    training = _noisy(side * rng.uniform(low, high, size), rng)
    test = _noisy(rng.uniform(-3.0, 3.0, 3000), rng)
    return Problem(
        "line",
        hidden,
        Gaussian(sigma=_NOISE),
        target_size=1,
        training=training,
        test=test,
        grid=torch.linspace(-3.0, 3.0, 241).unsqueeze(1),
        regions=_of_line,
    )


def moons(size: int = 100, hidden: tuple[int, ...] = (16, 16)) -> Problem:
    """Two classes, the half moons of scikit-learn with noise 0.2, far from which the plane goes on."""
    training, test = _moons(size, seed=0), _moons(2000, seed=1)
    axis, centre = torch.linspace(-3.0, 3.0, 61), torch.tensor([0.5, 0.25])
    return Problem(
        "moons",
        hidden,
        Categorical(),
        target_size=2,
        training=training,
        test=test,
        grid=torch.cartesian_prod(axis, axis) + centre,
        regions=partial(_of_plane, training=training.tensors[0]),
    )


def _noisy(x: NDArray[np.float64], rng: np.random.Generator) -> TensorDataset:
    y = np.sin(2 * x) + rng.normal(0.0, _NOISE, len(x))
    return TensorDataset(torch.from_numpy(x).float().unsqueeze(1), torch.from_numpy(y).float().unsqueeze(1))


def _moons(size: int, seed: int) -> TensorDataset:
    x, y = make_moons(size, noise=0.2, random_state=seed)
    return TensorDataset(torch.from_numpy(x).float(), torch.from_numpy(y))


def _of_line(inputs: Tensor) -> Regions:
    distance = inputs.squeeze(1).abs()
    low, high = _EDGES
    return {INSIDE: (distance >= low) & (distance <= high), GAP: distance < low, OUTSIDE: distance > high}


def _of_plane(inputs: Tensor, training: Tensor) -> Regions:
    near = torch.cdist(inputs, training).amin(dim=1) <= _REACH
    return {NEAR: near, FAR: ~near}
