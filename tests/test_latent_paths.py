import numpy as np
import torch
from scipy.stats import kstest, norm

from lightning_vi.latent_paths import axes, great_circle, inverse_normal_grid, lines


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


def test_a_great_circle_goes_from_end_to_end_through_draws_from_the_prior() -> None:
    starts, ends = torch.randn(2, 20_000, dtype=torch.float64)
    points = great_circle(starts, ends, torch.tensor([0.0, 0.3, 0.5, 1.0]))
    torch.testing.assert_close(points[0], starts)
    torch.testing.assert_close(points[-1], ends)
    torch.testing.assert_close(points[2], (starts + ends) / 2**0.5)
    for point in points:
        assert kstest(point.numpy(), "norm").pvalue > 1e-3


def test_a_great_circle_is_slerp_where_the_ends_are_orthogonal() -> None:
    # Shoemake 1985: sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b, with w the angle between a and b.
    a, b = torch.tensor([3.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 3.0])
    t, w = torch.linspace(0, 1, 7), torch.tensor(torch.pi / 2)
    expected = torch.outer(((1 - t) * w).sin() / w.sin(), a) + torch.outer((t * w).sin() / w.sin(), b)
    torch.testing.assert_close(great_circle(a, b, t), expected)
