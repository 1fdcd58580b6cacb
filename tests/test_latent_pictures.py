import numpy as np
import pytest
import torch
from scipy.stats import norm

from lightning_vi import latent_pictures
from lightning_vi.latent_space import NothingToDraw, prior_samples
from lightning_vi.plots import image_rows, manifold_grid
from tests.latents import Uniform, spy

MODULE = "lightning_vi.latent_pictures"


def test_the_manifold_decodes_the_inverse_normal_cdf_of_cell_midpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = spy(monkeypatch, f"{MODULE}.manifold_grid", manifold_grid)
    model = Uniform()
    latent_pictures.manifold(model, rows=3, columns=4, seed=0)
    across, upwards = (np.arange(4) + 0.5) / 4, (np.arange(3) + 0.5)[::-1] / 3
    u = np.stack(np.broadcast_arrays(across, upwards[:, None]), axis=-1)  # up: a larger second variable
    np.testing.assert_allclose(torch.cat(model.tops), norm.ppf(u).reshape(12, 2), rtol=1e-12)
    # The model's pixels are F(h), so u comes back.
    (call,) = calls
    np.testing.assert_allclose(call["images"].reshape(3, 4, 2), u, rtol=1e-12)


def test_a_manifold_needs_two_latent_variables() -> None:
    with pytest.raises(NothingToDraw, match="a manifold needs 2 latent variables, and the model has 3"):
        latent_pictures.manifold(Uniform(3), 2, 2, seed=0)


def test_samples_are_those_of_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    (calls, model) = (spy(monkeypatch, f"{MODULE}.image_rows", image_rows), Uniform())
    latent_pictures.samples(model, 2, 3, seed=5)
    assert torch.equal(calls[0]["images"].flatten(end_dim=1), prior_samples(model, 6, seed=5))
    assert calls[0]["images"].shape == (2, 3, 1, 1, 2)


def test_traversals_show_the_variables_that_change_the_image_most(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, model = spy(monkeypatch, f"{MODULE}.image_rows", image_rows), Uniform(4)
    with torch.no_grad():
        model.scale.copy_(torch.tensor([0.3, 1.0, 0.0, 0.6]))
    latent_pictures.traversals(model, rows=3, columns=5, seed=0)
    (call,) = calls
    assert call["row_labels"] == ["latent 1", "latent 3", "latent 0"]
    assert call["column_labels"] == ["−3", "−1.5", "0", "1.5", "3"]
    pixels = call["images"].view(3, 5, 4)
    for row, variable in enumerate((1, 3, 0)):
        moved = 0.5 + model.scale[variable].detach() * (torch.special.ndtr(torch.linspace(-3, 3, 5)) - 0.5)
        torch.testing.assert_close(pixels[row, :, variable], moved.double())
        others = [each for each in range(4) if each != variable]
        assert (pixels[row][:, others] == 0.5).all()


def test_traversal_images_and_the_order_of_the_variables() -> None:
    model = Uniform(3)
    with torch.no_grad():
        model.scale.copy_(torch.tensor([0.0, 0.5, 1.0]))
    values = torch.tensor([-1.0, 0.0, 2.0])
    images, order = latent_pictures.traversal_images(model, values, seed=0)
    assert order == [2, 1, 0]
    assert images.shape == (3, 3, 1, 1, 3)
    torch.testing.assert_close(images[2, :, 0, 0, 2], torch.special.ndtr(values.double()))


def test_interpolations_are_straight_lines_in_the_latents(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, model = spy(monkeypatch, f"{MODULE}.image_rows", image_rows), Uniform()
    latent_pictures.interpolations(model, rows=3, columns=4, seed=0)
    latents = torch.cat(model.tops).view(3, 4, 2)
    torch.testing.assert_close(latents.diff(n=2, dim=1), torch.zeros(3, 2, 2).double(), atol=1e-6, rtol=0)
    assert latents.diff(dim=1).abs().min() > 0
    torch.testing.assert_close(calls[0]["images"].view(3, 4, 2), torch.special.ndtr(latents))


@pytest.mark.parametrize("name", ["samples", "manifold", "traversals", "interpolations"])
def test_other_data_than_images_are_refused(name: str) -> None:
    model = Uniform()
    model.input_shape = (2,)
    with pytest.raises(NothingToDraw, match=r"inputs of shape \(2,\) are no images"):
        getattr(latent_pictures, name)(model, 2, 2, 0)
