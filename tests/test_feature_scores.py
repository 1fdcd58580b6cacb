"""Against closed forms: the features of an image are its pixels."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.feature_scores import RealFeatures, class_scores
from lightning_vi.image_report import FeatureScores
from tests.bright_pixels import CLASSES, BrightestPixel, images_of


@pytest.fixture
def training() -> Tensor:
    return images_of(torch.arange(800) % 10)


@pytest.fixture
def held_out() -> Tensor:
    return images_of(torch.arange(400) % 10)


@pytest.fixture
def real(training: Tensor, held_out: Tensor) -> RealFeatures:
    return RealFeatures(nn.Flatten(), training, held_out)


def compare(real: RealFeatures, images: Tensor) -> FeatureScores:
    return real.compare(real.of(images))


def kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1).pow(3)


def test_the_frechet_distance_is_the_closed_form(real: RealFeatures, held_out: Tensor) -> None:
    generated = 0.1 + 0.7 * images_of(torch.arange(300) % 4)
    x, y = (each.flatten(1).double().numpy() for each in (held_out, generated))
    root = scipy.linalg.sqrtm(np.cov(x.T) @ np.cov(y.T)).real
    truth = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(np.cov(x.T) + np.cov(y.T) - 2 * root)
    assert compare(real, generated).fid == pytest.approx(truth, rel=1e-6)


def test_the_frechet_distance_to_themselves_is_zero_and_grows_with_noise(real: RealFeatures, held_out: Tensor) -> None:
    noise = torch.randn_like(held_out)
    distances = [compare(real, held_out + scale * noise).fid for scale in (0.0, 0.02, 0.05, 0.1, 0.2)]
    assert distances[0] == pytest.approx(0, abs=1e-9)
    assert distances[1] > 1e-5
    assert distances == sorted(distances)


def test_a_shift_of_all_features_is_its_square_in_the_frechet_distance(real: RealFeatures, held_out: Tensor) -> None:
    assert compare(real, held_out - 0.05).fid == pytest.approx(12 * 0.05**2, rel=1e-4)


def test_the_floor_is_that_of_as_many_training_images(real: RealFeatures, training: Tensor) -> None:
    floors = {count: compare(real, images_of(torch.arange(count) % 10)).fid_floor for count in (50, 400, 800, 900)}
    assert floors[50] > floors[400] > 0
    assert floors[800] == floors[900] == pytest.approx(compare(real, training).fid, rel=1e-9)


def test_the_kernel_distance_is_the_unbiased_estimate(real: RealFeatures, held_out: Tensor) -> None:
    generated = images_of(torch.arange(400) % 3)
    x, y = held_out.flatten(1).double(), generated.flatten(1).double()
    within = sum((kernel(each, each).sum() - kernel(each, each).trace()) / (400 * 399) for each in (x, y))
    found = compare(real, generated)
    # Every subset is all images.
    assert found.kid == pytest.approx(float(within - 2 * kernel(x, y).mean()), abs=1e-4)
    assert found.kid_sd < 1e-4


def test_images_of_the_same_distribution_are_dense_and_cover(real: RealFeatures) -> None:
    found = compare(real, images_of(torch.arange(400) % 10))
    assert found.density == pytest.approx(1, abs=0.15)
    assert found.coverage == pytest.approx(found.expected_coverage, abs=0.05)
    assert found.expected_coverage == pytest.approx(1 - 2**-5, abs=5e-3)
    assert abs(found.fid - found.fid_floor) < 5e-3


@pytest.mark.parametrize("made", [1, 4, 10])
def test_a_generator_of_some_classes_is_found_out(real: RealFeatures, made: int) -> None:
    features = real.of(images_of(torch.arange(1000) % made))
    found = class_scores(BrightestPixel()(features))
    assert found.covered == made
    assert found.kl == pytest.approx(math.log(CLASSES / made), abs=1e-9)
    assert found.inception_score == pytest.approx(made, rel=0.05)
    assert found.frequencies == pytest.approx([1 / made if label < made else 0 for label in range(10)], abs=1e-9)
    assert real.compare(features).coverage == pytest.approx(made / 10, abs=0.06)


def test_one_image_again_and_again_covers_nothing(real: RealFeatures) -> None:
    features = real.of(images_of(torch.tensor([3]))).expand(500, -1)
    assert real.compare(features).coverage < 0.05
    found = class_scores(BrightestPixel()(features))
    assert found.covered == 1
    assert found.inception_score == pytest.approx(1)


def test_a_classifier_that_knows_nothing_gives_the_lowest_score() -> None:
    assert class_scores(torch.zeros(100, 10)).inception_score == pytest.approx(1)


def test_a_classifier_surer_than_single_precision_has_a_score() -> None:
    logits = torch.full((100, 10), -150.0)
    logits[:, 0] = 150.0
    assert class_scores(logits).inception_score == pytest.approx(1)


def test_networks_that_do_not_fit_are_refused(training: Tensor, held_out: Tensor) -> None:
    with pytest.raises(
        UserError, match=r"the network of the features does not take images \(1, 3, 4\): .*shapes cannot"
    ):
        RealFeatures(nn.Sequential(nn.Flatten(), nn.Linear(13, 2)), training, held_out)
    with pytest.raises(UserError, match=r"features \(400, 1, 3, 4\) must be \(N, F\). Flatten them"):
        RealFeatures(nn.Identity(), training, held_out)
