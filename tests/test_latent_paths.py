import numpy as np
import torch
from scipy.stats import norm

from lightning_vi.latent_paths import axes, inverse_normal_grid, lines


def test_the_grid_is_the_inverse_normal_cdf_of_the_cells_midpoints() -> None:
    grid = inverse_normal_grid(3, 4)
    assert grid.shape == (3, 4, 2)
    for row in range(3):
        for column in range(4):
            # The second variable is largest in the row at the top, which comes first.
            expected = norm.ppf([(column + 0.5) / 4, (2 - row + 0.5) / 3])
            np.testing.assert_allclose(grid[row, column], expected, rtol=1e-12, atol=1e-15)


def test_the_grid_has_the_moments_of_the_prior() -> None:
    flat = inverse_normal_grid(400, 400).flatten(end_dim=1)
    torch.testing.assert_close(torch.cov(flat.T), torch.eye(2, dtype=torch.float64), atol=0.01, rtol=0)
    assert flat.mean(dim=0).abs().max() < 1e-12


def test_axes_change_one_variable_alone() -> None:
    centre, values = torch.randn(5), torch.linspace(-3, 3, 7)
    latents = axes(centre, [4, 1], values)
    assert latents.shape == (2, 7, 5)
    for row, variable in enumerate((4, 1)):
        torch.testing.assert_close(latents[row, :, variable], values)
        others = [each for each in range(5) if each != variable]
        assert torch.equal(latents[row][:, others], centre[others].expand(7, 4))


def test_lines_are_straight_and_end_at_their_ends() -> None:
    starts, ends = torch.randn(2, 3, 5)
    points = lines(starts, ends, 9)
    assert points.shape == (3, 9, 5)
    assert torch.equal(points[:, 0], starts)
    assert torch.equal(points[:, -1], ends)
    torch.testing.assert_close(points.diff(dim=1), ((ends - starts) / 8).unsqueeze(1).expand(-1, 8, -1))
