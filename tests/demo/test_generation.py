import numpy as np
import torch

from lightning_vi.demo import generation
from lightning_vi.latent_space import images_of
from tests.latents import Uniform, vae


def test_the_variables_that_change_the_image_most_come_first() -> None:
    model = Uniform(4)
    with torch.no_grad():
        model.scale.copy_(torch.tensor([0.3, 1.0, 0.0, 0.6]))
    assert generation.most_active(model, 3) == [1, 3, 0]
    assert generation.most_active(model, 10) == [1, 3, 0, 2]


def test_a_code_changes_where_a_slider_was_moved() -> None:
    code = torch.randn(5)
    other = generation.moved(code, {3: -1.5, 0: 2.0})
    torch.testing.assert_close(other, torch.tensor([2.0, code[1], code[2], -1.5, code[4]]))
    assert code[3] != -1.5


def test_draws_stay_within_the_sliders() -> None:
    code = generation.drawn_code(100_000, seed=1)
    assert code.abs().max() == 3.0
    assert abs(code.mean()) < 5 / 100_000**0.5
    assert torch.equal(code, generation.drawn_code(100_000, seed=1))


def test_a_picture_is_the_models_image_as_ink_on_paper() -> None:
    module, _ = vae()
    model = module.eval().model
    codes = torch.randn(2, 3)
    pixels = generation.picture(model, codes)
    assert pixels.dtype == np.uint8
    side = 112
    for left, code in ((0, codes[0]), (pixels.shape[1] - side, codes[1])):
        shown = pixels[:side, left : left + side, 0][7::14, 7::14]
        (image,) = images_of(model, code.unsqueeze(0), seed=0)
        np.testing.assert_allclose(shown / 255, 1 - image[0], atol=0.5 / 255 + 1e-6)


def test_a_walk_goes_from_one_seeds_draw_to_the_others() -> None:
    codes = generation.walk(6, (3, 4), torch.tensor([0.0, 0.5, 1.0]))
    first, second = (torch.randn(6, generator=torch.Generator().manual_seed(seed)) for seed in (3, 4))
    torch.testing.assert_close(codes[0], first)
    torch.testing.assert_close(codes[2], second)
    torch.testing.assert_close(codes[1], (first + second) / 2**0.5)
