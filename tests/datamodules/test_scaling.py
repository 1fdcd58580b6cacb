import copy
import json
import pickle
from dataclasses import asdict

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from lightning_vi.datamodules import Affine, Divide, Scaling, Standardise, StandardiseEach, UnitInterval
from lightning_vi.errors import UserError

TRAINING = torch.randint(0, 256, (50, 1, 4, 4), generator=torch.Generator().manual_seed(1)).float()
TEST = torch.randint(0, 256, (20, 1, 4, 4), generator=torch.Generator().manual_seed(2)).float()


def test_formulas() -> None:
    raw = TEST.double().numpy()
    training = TRAINING.double().numpy()
    for scaling, expected in (
        (Divide(), raw / 126),
        (Divide(3.0), raw / 3),
        (UnitInterval(), raw / 255),
        (Standardise(), (raw - training.mean()) / training.std()),
    ):
        inputs = scaling.fit(TRAINING, 255.0)(TEST)
        assert inputs.dtype == torch.float32
        np.testing.assert_allclose(inputs.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_standardised_training_pixels_have_mean_0_and_deviation_1() -> None:
    inputs = Standardise().fit(TRAINING, 255.0)(TRAINING).double()
    torch.testing.assert_close(inputs.mean().item(), 0.0, rtol=0, atol=1e-6)
    torch.testing.assert_close(inputs.std(correction=0).item(), 1.0, rtol=0, atol=1e-6)


def test_each_feature_has_mean_0_and_deviation_1_in_float64() -> None:
    raw = torch.randn(500, 3, dtype=torch.float64) * torch.tensor([1.0, 1e-3, 5.0]) + torch.tensor([0.0, 1.7e9, -3.0])
    raw = torch.cat([raw, torch.full((500, 1), 0.1, dtype=torch.float64)], dim=1)
    scale = StandardiseEach().fit(raw, 1.0)
    expected = StandardScaler().fit_transform(raw.numpy())
    np.testing.assert_allclose(scale(raw)[:, [0, 2]], expected[:, [0, 2]], atol=1e-5)
    np.testing.assert_allclose(scale(raw)[:, 1], expected[:, 1], atol=1e-3)  # float64 has 7 digits below the mean
    assert scale(raw)[:, 3].abs().max() < 1e-6
    assert scale(raw[:0]).shape == (0, 4)
    assert StandardiseEach().fit(TRAINING, 255.0) == Standardise().fit(TRAINING, 255.0)


def test_a_map_is_plain_numbers() -> None:
    scale = Affine((0.5,), (2.0,))
    assert pickle.loads(pickle.dumps(scale)) == scale
    torch.testing.assert_close(scale(TEST), (TEST - 0.5) / 2)


@pytest.mark.parametrize("scaling", [Divide(5.0), UnitInterval(), Standardise(), StandardiseEach()])
def test_copies_are_equal(scaling: Scaling) -> None:
    assert pickle.loads(pickle.dumps(scaling)) == copy.deepcopy(scaling) == scaling
    assert repr(scaling).startswith(type(scaling).__name__)


@pytest.mark.parametrize("scaling", [Divide(5.0), UnitInterval(), Standardise()])
def test_what_a_checkpoint_keeps_gives_the_same_inputs_to_the_last_bit(scaling: Scaling) -> None:
    scale = scaling.fit(TRAINING, 255.0)
    assert isinstance(scale, Affine)
    kept = Affine(**json.loads(json.dumps(asdict(scale))))
    assert torch.equal(kept(TEST), scale(TEST))


def test_mistakes() -> None:
    for divisor in (0.0, -1.0, float("nan")):
        with pytest.raises(UserError, match=r"divisor \(=.*\) must be positive"):
            Divide(divisor)
    with pytest.raises(UserError, match="all training pixels are equal"):
        Standardise().fit(torch.ones(3, 1, 2, 2), 255.0)
    with pytest.raises(UserError, match=r"largest value \(=0\) must be positive"):
        UnitInterval().fit(torch.zeros(3, 2), 0.0)
