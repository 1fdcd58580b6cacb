import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from benchmarks.hmc.problems import Problem, line
from lightning_vi.likelihoods import Gaussian

_SIGMA = 0.5


def straight() -> tuple[Problem, Tensor, Tensor, Tensor]:
    """A network without hidden layers, whose posterior is Gaussian, and slope and offset correlated in it.

    Also the features (G, 2) of the grid, and the posterior's precision (2, 2) and mean (2,).
    """
    x = torch.linspace(-0.5, 1.5, 20).unsqueeze(1)
    y = 0.7 * x - 0.2 + _SIGMA * torch.randn(20, 1)
    data, grid = TensorDataset(x, y), torch.linspace(-1.0, 3.0, 9).unsqueeze(1)
    problem = Problem("straight", (), Gaussian(_SIGMA), 1, data, data, grid, line().regions)
    features = torch.cat([x, torch.ones_like(x)], dim=1)
    precision = torch.eye(2) + features.T @ features / _SIGMA**2
    mean = torch.linalg.solve(precision, features.T @ y / _SIGMA**2).squeeze(1)
    return problem, torch.cat([grid, torch.ones_like(grid)], dim=1), precision, mean
