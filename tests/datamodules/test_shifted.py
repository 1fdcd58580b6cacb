import pytest
import torch
from scipy import ndimage

from lightning_vi.datamodules import Curve, Digits, FixedBinarisation, Noisy, Rotated, Standardise
from lightning_vi.errors import UserError


def test_only_test_inputs_are_turned() -> None:
    plain, turned = Digits().splits(), Rotated(Digits(), 90.0).splits()
    for name in ("training", "validation"):
        for one, other in zip(getattr(plain, name).tensors, getattr(turned, name).tensors, strict=True):
            assert torch.equal(one, other)
    (before, labels), (after, same) = plain.test.tensors, turned.test.tensors
    assert torch.equal(labels, same)
    assert torch.equal(after, before.rot90(1, dims=(-2, -1)))  # counter-clockwise


def test_a_turn_is_scipys_within_the_image() -> None:
    """It interpolates linearly too; at the border, where pixels come in from outside, the two differ."""
    before, after = (data.splits().test.tensors[0] for data in (Digits(), Rotated(Digits(), 30.0)))
    expected = torch.from_numpy(ndimage.rotate(before.numpy(), 30.0, axes=(3, 2), reshape=False, order=1))
    torch.testing.assert_close(after[..., 2:6, 2:6], expected[..., 2:6, 2:6], rtol=0, atol=1e-4)


def test_corners_that_come_in_are_as_dark_as_the_darkest_pixel() -> None:
    data = Digits(scaling=Standardise())
    dark = data.splits().test.tensors[0].min()
    assert dark < 0
    after = Rotated(data, 45.0).splits().test.tensors[0]
    torch.testing.assert_close(after[..., 0, 0], dark.expand(360, 1))


def test_noise_has_its_standard_deviation_and_is_always_the_same() -> None:
    before, first, second = (data.splits().test.tensors[0] for data in (Digits(), *(Noisy(Digits(), 0.5),) * 2))
    noise = first - before
    assert torch.equal(first, second)
    assert abs(float(noise.mean())) < 5 * 0.5 / noise.numel() ** 0.5
    assert float(noise.std()) == pytest.approx(0.5, rel=5 / (2 * noise.numel()) ** 0.5)


def test_everything_else_is_the_datamodules() -> None:
    torch.manual_seed(3)
    data = Digits(batch_size=50, eval_batch_size=70, validation_size=100, seed=4, transform=FixedBinarisation())
    turned = Rotated(data, 20.0)
    for each in (data, turned):
        each.setup()
    assert (turned.input_shape, turned.target_size) == ((1, 8, 8), 10)
    assert (len(turned.train_dataloader()), len(turned.test_dataloader())) == (1337 // 50 + 1, 6)
    for one, other in zip(data.train_dataloader(), turned.train_dataloader(), strict=True):
        assert torch.equal(one[0], other[0])
    assert set(next(iter(turned.test_dataloader()))[0].unique().tolist()) == {0.0, 1.0}  # of the turned grey values


def test_noise_on_numbers() -> None:
    assert Noisy(Curve(), 0.1).splits().test.tensors[0].shape == (1000, 1)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match=r"Rotated: data \(=Curve\) must be images"):
        Rotated(Curve())
    with pytest.raises(UserError, match=r"Rotated: angle \(=nan\) must be a finite"):
        Rotated(Digits(), float("nan"))
    with pytest.raises(UserError, match=r"Noisy: sigma \(=-1.0\) must be finite and not negative"):
        Noisy(Digits(), -1.0)
