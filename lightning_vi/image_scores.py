r"""Generated images measured against real ones: by their pixels, by the features of a network, by a classifier.

No one figure will do. Parzen windows reward smoothness: blurred training images beat many a generator. The Fréchet
distance (FID) and the kernel distance (KID) of features see blur, and only together with density, coverage and classes
tell poor images from missing ones. None of them sees copies of training images; their distances do.

References:
    Goodfellow et al. 2014, Generative Adversarial Networks, table 1 (Parzen windows, 10,000 samples).
    Theis, van den Oord, Bethge 2016, A Note on the Evaluation of Generative Models, sections 3 and 4.
    Those of `functional.parzen`, `feature_scores` and `functional.neighbours`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.feature_scores import RealFeatures, class_scores, drawn, frozen, mapped
from lightning_vi.functional.neighbours import nearest
from lightning_vi.functional.parzen import best_sigma, log_density
from lightning_vi.image_report import ImageReport, Memorisation, ParzenScore
from lightning_vi.mnist_features import pretrained

SIGMA_IMAGES = 1000
"""Validation images by which sigma is chosen, the first ones: Goodfellow's protocol."""

FEWEST = 20
"""Images of each kind, without which the figures mean nothing."""


class ImageScores:
    """Measures generated images; what depends on the real ones alone is computed once.

    Images are grey values or colours in [0, 1], floating point; all have the same shape. The real ones' device is where
    all is computed. PyTorch's global generators are left as they are, and the same images have the same scores.

    Without a network only Parzen windows and distances of pixels are measured. :func:`digit_scores` has one for MNIST.

    Args:
        training: Images that the generator is trained on, shape (N, C, H, W).
        validation: Images that choose sigma, same shape but for N.
        test: Images that the generated ones are compared with, same shape but for N.
        features: Network from images (B, C, H, W) to features (B, F). It is copied, and used in evaluation mode.
        classifier: Network from features (B, F) to logits (B, K).
        compared: Number of generated images, and of test images, whose nearest training image is looked for.

    Raises:
        UserError: If images are too few, of different shapes or not in [0, 1], if they do not fit the network or if
            there is a classifier without features.
    """

    def __init__(
        self,
        training: Tensor,
        validation: Tensor,
        test: Tensor,
        features: nn.Module | None = None,
        classifier: nn.Module | None = None,
        compared: int = 1000,
    ) -> None:
        if compared < 1:
            raise UserError(f"ImageScores: compared (={compared}) must be at least 1.")
        if features is None and classifier is not None:
            raise UserError("ImageScores: a classifier takes features. Give a network that makes them of images.")
        self.shape, self.device = test.shape[1:], test.device
        self.compared = compared
        training = self._checked(training, "training")
        test = self._checked(test, "test")
        self._training = training.flatten(1)
        self._validation = self._checked(validation, "validation")[:SIGMA_IMAGES].flatten(1)
        self._test = test.flatten(1)
        with _undisturbed(self.device):
            self._test_distance = self._distance_to_training(test)
            self._classifier = None if classifier is None else frozen(classifier, self.device)
            self._features = None if features is None else RealFeatures(features, training, test)

    def measure(self, generated: Tensor) -> ImageReport:
        """Measure generated images; Goodfellow et al. take 10,000.

        Args:
            generated: Shape (N, C, H, W), in [0, 1].

        Raises:
            UserError: If they are too few, have another shape than the real ones or are not in [0, 1].
        """
        generated = self._checked(generated, "generated")
        with _undisturbed(self.device):
            return self._measured(generated)

    def _measured(self, generated: Tensor) -> ImageReport:
        parzen = self._parzen(generated.flatten(1))
        memorisation = Memorisation(self._distance_to_training(generated), self._test_distance)
        if self._features is None:
            return ImageReport(parzen, memorisation)
        features = self._features.of(generated)
        classes = None if self._classifier is None else class_scores(mapped(self._classifier, features))
        return ImageReport(parzen, memorisation, self._features.compare(features), classes)

    def _parzen(self, samples: Tensor) -> ParzenScore:
        sigma = best_sigma(samples, self._validation)
        logs = log_density(samples, self._test, sigma).double()
        return ParzenScore(float(logs.mean()), float(logs.std() / len(logs) ** 0.5), sigma)

    def _distance_to_training(self, images: Tensor) -> float:
        return float(nearest(drawn(images, self.compared).flatten(1), self._training).distances.mean())

    def _checked(self, images: Tensor, name: str) -> Tensor:
        """The images in single precision, on the device."""
        if images.ndim != 4 or images.shape[1:] != self.shape or len(images) < FEWEST:
            raise UserError(
                f"ImageScores: {name} images {tuple(images.shape)} must be (N, {', '.join(map(str, self.shape))}), "
                f"N at least {FEWEST}."
            )
        low, high = (float(bound) for bound in images.aminmax())
        if not (low >= 0.0 and high <= 1.0 and images.is_floating_point()):
            raise UserError(
                f"ImageScores: {name} images must be floating point in [0, 1], but are {images.dtype} in "
                f"[{low:.4g}, {high:.4g}]; of data, set scaling to UnitInterval."
            )
        return images.to(self.device, torch.float32)


def digit_scores(training: Tensor, validation: Tensor, test: Tensor, compared: int = 1000) -> ImageScores:
    """:class:`ImageScores` of MNIST digits, by the features and the classifier that come with the package.

    Raises:
        UserError: If the images have not MNIST's shape, and as `ImageScores`.
    """
    network = pretrained()
    if training.shape[1:] != network.input_shape:
        raise UserError(
            f"digit_scores: images must be {network.input_shape}, as those of MNIST, not {tuple(training.shape[1:])}. "
            "ImageScores takes others, and a network of your own for their features."
        )
    return ImageScores(training, validation, test, network.features, network.output, compared)


@contextmanager
def _undisturbed(device: torch.device) -> Iterator[None]:
    """A context in which all is computed alike, in the midst of a training or evaluation too.

    Autocast would round the figures to two digits. What is kept of real images outlives an evaluation in inference
    mode, whose tensors must not be changed afterwards.
    """
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield
