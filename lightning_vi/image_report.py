"""What is said of generated images; see :class:`lightning_vi.image_scores.ImageScores`."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class ParzenScore:
    """Log density of test images under windows around generated ones.

    Attributes:
        nats: Mean over test images; of n times as many pixels about n times as much.
        standard_error: Of this mean, over test images, in nats.
        sigma: Width of the windows, in units of the pixels; chosen on validation images.
    """

    nats: float
    standard_error: float
    sigma: float


@dataclass(frozen=True)
class Memorisation:
    """Euclidean distances of images to the nearest training image, over all pixels.

    Attributes:
        distance: Mean over generated images; far below the other one, they are copies.
        test_distance: Mean over test images.
    """

    distance: float
    test_distance: float


@dataclass(frozen=True)
class FeatureScores:
    """How the features of generated images lie beside those of test images.

    All depend on the network that gives the features: they compare with figures of the same network only, and FID
    with that of the same number of images.

    Attributes:
        fid: Fréchet distance of Gaussians with their moments, squared, in squared units of the features.
        fid_floor: The same of as many training images as there are generated ones, or of all if those are fewer.
        kid: Unbiased estimate of their squared maximum mean discrepancy, a kernel's units; may be negative.
        kid_sd: Its standard deviation over subsets.
        density: See `functional.neighbours`; 1 if they are as real.
        coverage: See `functional.neighbours`; the fraction of test images.
        expected_coverage: That of new real images of the same number.
    """

    fid: float
    fid_floor: float
    kid: float
    kid_sd: float
    density: float
    coverage: float
    expected_coverage: float


@dataclass(frozen=True)
class ClassScores:
    """What a classifier of K classes takes generated images for.

    Attributes:
        inception_score: exp E KL[p(y | x) || p(y)], from 1 to K, the mean over ten parts of the images.
        inception_score_sd: Its standard deviation over the parts.
        covered: Number of classes that have at least a tenth of 1 / K of the images, 1 % of ten classes.
        kl: KL of the classes' frequencies from uniform, in nats, from 0 to log K.
        frequencies: Fraction of images taken for each class.
    """

    inception_score: float
    inception_score_sd: float
    covered: int
    kl: float
    frequencies: tuple[float, ...]


@dataclass(frozen=True)
class ImageReport:
    """All that is said of some generated images.

    Attributes:
        parzen: Of the pixels.
        memorisation: Of the pixels.
        features: None without a network that gives features.
        classes: None without a classifier.
    """

    parzen: ParzenScore
    memorisation: Memorisation
    features: FeatureScores | None = None
    classes: ClassScores | None = None

    def scores(self) -> dict[str, float]:
        """All figures but the frequencies, by name, such as ``parzen`` (nats), ``fid`` and ``classes``."""
        named: dict[str, float] = {
            "parzen": self.parzen.nats,
            "parzen_se": self.parzen.standard_error,
            "parzen_sigma": self.parzen.sigma,
            "nearest_training": self.memorisation.distance,
            "nearest_training_test": self.memorisation.test_distance,
        }
        if self.features is not None:
            named |= asdict(self.features)
        if self.classes is not None:
            named |= {
                "inception_score": self.classes.inception_score,
                "inception_score_sd": self.classes.inception_score_sd,
                "classes": self.classes.covered,
                "class_kl": self.classes.kl,
            }
        return named
