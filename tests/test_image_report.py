from dataclasses import FrozenInstanceError

import pytest

from lightning_vi.image_report import ClassScores, FeatureScores, ImageReport, Memorisation, ParzenScore

PIXELS = {
    "parzen": 225.0,
    "parzen_se": 2.0,
    "parzen_sigma": 0.2,
    "nearest_training": 5.0,
    "nearest_training_test": 4.0,
}
REPORT = ImageReport(
    ParzenScore(225.0, 2.0, 0.2),
    Memorisation(5.0, 4.0),
    FeatureScores(40.0, 1.5, 0.3, 0.1, 0.9, 0.8, 0.97),
    ClassScores(9.0, 0.2, 10, 0.01, (0.1,) * 10),
)


def test_all_figures_have_their_names() -> None:
    features = {"fid": 40.0, "fid_floor": 1.5, "kid": 0.3, "kid_sd": 0.1}
    features |= {"density": 0.9, "coverage": 0.8, "expected_coverage": 0.97}
    classes = {"inception_score": 9.0, "inception_score_sd": 0.2, "classes": 10, "class_kl": 0.01}
    assert REPORT.scores() == PIXELS | features | classes


def test_without_a_network_there_are_figures_of_pixels_alone() -> None:
    assert ImageReport(REPORT.parzen, REPORT.memorisation).scores() == PIXELS


def test_a_report_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        REPORT.features = None  # type: ignore[misc]
