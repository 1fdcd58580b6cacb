import math
from pathlib import Path

import pytest
import torch
from sklearn.neighbors import KernelDensity
from torch import Tensor, nn

from lightning_vi.datamodules import MNIST, UnitInterval
from lightning_vi.errors import UserError
from lightning_vi.functional.parzen import SIGMAS
from lightning_vi.image_scores import ImageScores, digit_scores
from tests.bright_pixels import BrightestPixel, images_of


@pytest.fixture
def real() -> tuple[Tensor, Tensor, Tensor]:
    return images_of(torch.arange(800) % 10), images_of(torch.arange(300) % 10), images_of(torch.arange(400) % 10)


@pytest.fixture
def scores(real: tuple[Tensor, Tensor, Tensor]) -> ImageScores:
    return ImageScores(*real, features=nn.Flatten(), classifier=BrightestPixel())


def test_parzen_is_scikit_learns_at_the_sigma_that_validation_chooses(
    scores: ImageScores, real: tuple[Tensor, Tensor, Tensor]
) -> None:
    samples = images_of(torch.arange(500) % 10)
    densities = {
        sigma: KernelDensity(bandwidth=sigma, leaf_size=500).fit(samples.flatten(1).numpy()) for sigma in SIGMAS
    }
    chosen = max(SIGMAS, key=lambda sigma: densities[sigma].score_samples(real[1].flatten(1).numpy()).mean())
    logs = densities[chosen].score_samples(real[2].flatten(1).numpy())
    found = scores.measure(samples).parzen
    assert found.sigma == chosen
    assert found.nats == pytest.approx(logs.mean(), abs=1e-3)
    assert found.standard_error == pytest.approx(logs.std(ddof=1) / 20, rel=1e-3)


def test_sigma_is_chosen_by_the_first_thousand_validation_images(real: tuple[Tensor, Tensor, Tensor]) -> None:
    training, _, test = real
    validation = torch.cat([images_of(torch.arange(1000) % 10), torch.rand(5000, 1, 3, 4)])
    samples = images_of(torch.arange(500) % 10)
    assert ImageScores(training, validation, test).measure(samples).parzen.sigma == SIGMAS[0]
    assert ImageScores(training, validation.flip(0), test).measure(samples).parzen.sigma > SIGMAS[1]


def test_copies_of_training_images_are_found_out(scores: ImageScores, real: tuple[Tensor, Tensor, Tensor]) -> None:
    copies = scores.measure(real[0][:200]).memorisation
    fresh = scores.measure(images_of(torch.arange(400) % 10)).memorisation
    assert copies.distance == 0
    assert fresh.distance == pytest.approx(fresh.test_distance, rel=0.05)
    truth = torch.cdist(real[2].flatten(1), real[0].flatten(1)).min(dim=1).values.mean()
    assert fresh.test_distance == copies.test_distance == pytest.approx(float(truth), rel=1e-5)


def test_a_sample_of_images_is_compared_with_training(real: tuple[Tensor, Tensor, Tensor]) -> None:
    half = torch.cat([real[0][:200], torch.zeros(200, 1, 3, 4)])
    every, some = (ImageScores(*real, compared=count).measure(half).memorisation for count in (400, 100))
    assert some.distance == pytest.approx(every.distance, rel=0.3)
    assert some.distance != every.distance


def test_measuring_again_says_the_same_and_leaves_the_generator_alone(scores: ImageScores) -> None:
    generated = images_of(torch.arange(300) % 7)
    state = torch.get_rng_state()
    first = scores.measure(generated)
    scores.measure(images_of(torch.arange(100) % 2))
    torch.set_rng_state(state)
    assert scores.measure(generated) == first
    assert torch.equal(torch.get_rng_state(), state)


def test_inference_mode_and_autocast_change_nothing(real: tuple[Tensor, Tensor, Tensor]) -> None:
    generated = images_of(torch.arange(300) % 7)
    scores = ImageScores(*real, nn.Flatten(), nn.Linear(12, 10))
    truth = scores.measure(generated)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        inside = generated.clone()
        assert scores.measure(inside) == truth
        later = ImageScores(*real, nn.Flatten(), scores._classifier)
    assert later.measure(inside) == truth
    assert later.measure(generated) == truth


def test_training_the_network_on_does_not_change_the_figures(real: tuple[Tensor, Tensor, Tensor]) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, 6))
    scores = ImageScores(*real, network)
    assert network.training
    before = scores.measure(real[2])
    nn.init.normal_(network.get_parameter("2.weight"))
    assert scores.measure(real[2]) == before
    assert before.features is not None
    assert before.features.fid == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 5, 4)])
def test_images_of_any_shape_have_figures_of_pixels(shape: tuple[int, int, int]) -> None:
    training, validation, test = torch.rand(3, 50, *shape)
    report = ImageScores(training, validation, test).measure(torch.rand(40, *shape).double())
    assert report.features is None
    assert report.classes is None
    assert all(math.isfinite(value) for value in report.scores().values())


def test_features_without_a_classifier_have_no_classes(real: tuple[Tensor, Tensor, Tensor]) -> None:
    report = ImageScores(*real, features=nn.Flatten()).measure(real[2])
    assert report.features is not None
    assert report.classes is None


def test_mistakes_are_told_in_one_line(real: tuple[Tensor, Tensor, Tensor], scores: ImageScores) -> None:
    mistakes = {
        r"generated images \(400, 12\) must be \(N, 1, 3, 4\)": real[2].flatten(1),
        r"generated images \(19, 1, 3, 4\) must be .*, N at least 20": real[2][:19],
        r"generated images \(400, 1, 4, 3\) must be": real[2].mT,
        r"generated images must be floating point in \[0, 1\], .* in \[-1": 2 * real[2] - 1 - real[2].min() * 2,
        r"generated images must be .*nan": real[2] * math.nan,
        r"generated images must be floating point .* torch.uint8": real[2].byte(),
    }
    for message, images in mistakes.items():
        with pytest.raises(UserError, match=f"^ImageScores: {message}.*$"):
            scores.measure(images)
    with pytest.raises(UserError, match=r"training images must be floating point .* set scaling to UnitInterval"):
        ImageScores(2 * real[0], *real[1:])
    with pytest.raises(UserError, match=r"validation images \(0, 1, 3, 4\)"):
        ImageScores(real[0], real[1][:0], real[2])
    with pytest.raises(UserError, match="a classifier takes features"):
        ImageScores(*real, classifier=nn.Flatten())
    with pytest.raises(UserError, match=r"compared \(=0\) must be at least 1"):
        ImageScores(*real, compared=0)


def test_images_that_are_no_digits_are_refused(real: tuple[Tensor, Tensor, Tensor]) -> None:
    with pytest.raises(
        UserError, match=r"the network of the features does not take images \(1, 3, 4\): .*shapes cannot"
    ):
        ImageScores(*real, features=nn.Sequential(nn.Flatten(), nn.Linear(13, 2)))
    with pytest.raises(UserError, match=r"digit_scores: images must be \(1, 28, 28\), .*, not \(1, 3, 4\)") as error:
        digit_scores(*real)
    assert "\n" not in str(error.value)


def test_digits_of_mnist(mnist_root: Path) -> None:
    splits = MNIST(root=mnist_root, scaling=UnitInterval()).splits()
    training, validation = (split.tensors[0][:2000] for split in splits[:2])
    test = splits.test.tensors[0][::5]  # all over the file, whose first half is by other writers than the second
    labels = splits.training.tensors[1][2000:6000]
    fresh = splits.training.tensors[0][2000:6000]
    scores = digit_scores(training, validation, test, compared=200)
    blurred = nn.functional.avg_pool2d(fresh[:2000], 5, stride=1, padding=2)
    noisy = (fresh[:2000] + 0.1 * torch.randn(2000, 1, 28, 28)).clamp(0, 1)
    generated = {"real": fresh[:2000], "blurred": blurred, "noisy": noisy, "few classes": fresh[labels < 4]}
    reports = {name: scores.measure(images) for name, images in generated.items()}
    figures = {name: report.scores() for name, report in reports.items()}

    assert figures["real"]["fid"] < 2 * figures["real"]["fid_floor"]
    assert figures["real"]["fid"] < 10 < figures["noisy"]["fid"] < 60 < figures["blurred"]["fid"]
    # 2,000 windows are so few that blurred images score as well as real ones: Parzen never stands alone.
    assert figures["real"]["parzen"] == pytest.approx(figures["blurred"]["parzen"], abs=6)
    assert figures["real"]["parzen"] > figures["noisy"]["parzen"] + 10
    assert figures["real"]["coverage"] > 0.9 > figures["noisy"]["coverage"] > figures["blurred"]["coverage"]
    assert figures["real"]["classes"] == 10
    assert figures["real"]["class_kl"] < 0.02
    assert figures["real"]["inception_score"] > 9.3
    assert figures["few classes"]["classes"] == 4
    assert figures["few classes"]["class_kl"] == pytest.approx(math.log(10 / 4), abs=0.03)
    assert figures["few classes"]["coverage"] < 0.5
    assert figures["real"]["nearest_training"] == pytest.approx(figures["real"]["nearest_training_test"], rel=0.1)
