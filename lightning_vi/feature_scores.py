r"""What the features of generated images say beside those of real ones, and what a classifier makes of them.

.. math::
    FID = \|\mu - \mu'\|^2 + \mathrm{tr}(\Sigma + \Sigma' - 2 (\Sigma \Sigma')^{1/2}), \qquad
    IS = \exp E_x KL[p(y \mid x) \,\|\, p(y)],

and KID is the squared maximum mean discrepancy for the kernel (x'y / F + 1)^3 of F features. They are torchmetrics'.

References:
    Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter 2017, GANs Trained by a Two Time-Scale Update Rule Converge to a
        Local Nash Equilibrium, equation 6 (FID).
    Bińkowski, Sutherland, Arbel, Gretton 2018, Demystifying MMD GANs, section 4 (KID).
    Salimans et al. 2016, Improved Techniques for Training GANs, section 4 (Inception Score).
    Naeem et al. 2020, Reliable Fidelity and Diversity Metrics for Generative Models (density and coverage).
"""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# Not from torchmetrics.image: it has these names only where torch-fidelity is installed, Inception's own weights.
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from lightning_vi.errors import UserError
from lightning_vi.functional.class_frequencies import covered, frequencies, kl_from_uniform
from lightning_vi.functional.neighbours import density_coverage, expected_coverage, radii
from lightning_vi.image_report import ClassScores, FeatureScores

SUBSET = 1000
"""Largest number of images in one of the subsets over which KID is a mean."""

AT_ONCE = 1000  # images through the network
SYNC = False  # A process may measure alone: waiting for the others' images would be for ever.
SEED = 2014  # of what is drawn here: which images, and the subsets and parts of KID and the Inception Score


class RealFeatures:
    """Features of real images, their moments and radii, computed once.

    Args:
        network: From images (B, C, H, W) to features (B, F). It is copied, and used in evaluation mode.
        training: Images (N, C, H, W), of which some give the floor of the Fréchet distance.
        test: Images (M, C, H, W), with which generated ones are compared.

    Raises:
        UserError: If the network does not take the images, or does not give (B, F).
    """

    def __init__(self, network: nn.Module, training: Tensor, test: Tensor) -> None:
        self._network, self._training = frozen(network, test.device), training
        self._test = self.of(test)
        self._radii = radii(self._test)
        self._floors: dict[int, float] = {}
        self._fid = FrechetInceptionDistance(
            _Given(self._test.shape[1]), reset_real_features=False, sync_on_compute=SYNC
        ).to(test.device)
        self._fid.update(self._test.double(), real=True)

    def of(self, images: Tensor) -> Tensor:
        """Features (N, F) of images (N, C, H, W).

        Raises:
            UserError: If the network does not take them, or does not give (N, F).
        """
        try:
            features = mapped(self._network, images)
        except RuntimeError as error:
            raise UserError(
                f"ImageScores: the network of the features does not take images {tuple(images.shape[1:])}: "
                f"{str(error).splitlines()[0]}"
            ) from error
        if features.ndim != 2:
            raise UserError(f"ImageScores: features {tuple(features.shape)} must be (N, F). Flatten them.")
        return features

    def compare(self, features: Tensor) -> FeatureScores:
        """Scores of features (N, F) of generated images."""
        density, coverage = density_coverage(self._test, features, self._radii)
        kid, kid_sd = self._kernel_distance(features)
        return FeatureScores(
            fid=self._frechet_distance(features),
            fid_floor=self._floor(len(features)),
            kid=kid,
            kid_sd=kid_sd,
            density=density,
            coverage=coverage,
            expected_coverage=expected_coverage(len(self._test), len(features)),
        )

    def _floor(self, count: int) -> float:
        if count not in self._floors:
            self._floors[count] = self._frechet_distance(self.of(drawn(self._training, count)))
        return self._floors[count]

    def _frechet_distance(self, features: Tensor) -> float:
        self._fid.update(features.double(), real=False)
        distance = float(self._fid.compute())
        self._fid.reset()  # of the generated ones only
        return distance

    def _kernel_distance(self, features: Tensor) -> tuple[float, float]:
        size = min(SUBSET, len(features), len(self._test))
        with _buffers_features():
            metric = KernelInceptionDistance(_Given(features.shape[1]), subset_size=size, sync_on_compute=SYNC)
        metric.update(self._test, real=True)
        metric.update(features, real=False)
        return _pair(metric)


def class_scores(logits: Tensor) -> ClassScores:
    """Scores of logits (N, K)."""
    shares = frequencies(logits.argmax(dim=1), logits.shape[1])
    with _buffers_features():
        metric = InceptionScore(_Given(logits.shape[1]), sync_on_compute=SYNC)
    metric.update(logits.double())  # whose exponentials do not become 0: the score would be nan
    return ClassScores(*_pair(metric), covered(shares), kl_from_uniform(shares), tuple(shares.tolist()))


def _pair(metric: KernelInceptionDistance | InceptionScore) -> tuple[float, float]:
    """Mean and standard deviation; both metrics draw from the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)  # torch.manual_seed would seed a GPU's too, for good
        mean, deviation = metric.compute()
    return float(mean), float(deviation)


class _Given(nn.Module):
    """Features as they are: torchmetrics asks for a network, and ours has computed them already, once for all.

    Attributes:
        num_features: Number of features, which torchmetrics asks for.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


@contextmanager
def _buffers_features() -> Iterator[None]:
    """A context without torchmetrics' warning that it keeps the features, which are in the memory anyway."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* will save all extracted features in buffer", UserWarning)
        yield


def frozen(network: nn.Module, device: torch.device) -> nn.Module:
    """A copy in evaluation mode: training the network on would change what the figures mean."""
    return copy.deepcopy(network).to(device).eval().requires_grad_(False)


def mapped(network: nn.Module, inputs: Tensor) -> Tensor:
    """Outputs of a network, block by block."""
    return torch.cat([network(block) for block in inputs.split(AT_ONCE)])


def drawn(images: Tensor, count: int) -> Tensor:
    """As many images, or all if there are fewer: drawn, since data may be sorted, but the same at every call."""
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(SEED))[:count]
    return images[chosen.to(images.device)]
