"""What classifiers from checkpoints say of a drawing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Tensor
from torch.distributions import Categorical

from lightning_vi import checkpoints, likelihoods
from lightning_vi.datamodules import Affine
from lightning_vi.errors import UserError
from lightning_vi.modules import BayesByBackprop, DeepEnsemble, SupervisedModule
from lightning_vi.predictive import Predictive


class Verdict(NamedTuple):
    """Of one drawing, with S draws and K classes.

    Attributes:
        draws: Class probabilities of each draw, (S, K); S = 1 for a point estimate.
        mean: Their mean, (K,).
        entropy: Of the mean, in nats.
        mutual_information: Of class and weights, in nats; 0 for a point estimate.
        single: Class probabilities of the network at the posterior mean, (K,); None where the draws are not those of
            one posterior.
    """

    draws: Tensor
    mean: Tensor
    entropy: float
    mutual_information: float
    single: Tensor | None


@dataclass(frozen=True)
class Classifier:
    """A model and how its inputs were made.

    Attributes:
        name: As the page shows it.
        module: The model, of inputs (B, 1, side, side).
        maximum: The largest value of a pixel, before its scaling.
        scale: From pixels to inputs.
    """

    name: str
    module: SupervisedModule
    maximum: float
    scale: Affine

    @property
    def side(self) -> int:
        """Of its images, in pixels."""
        return self.module.input_shape[-1]

    def verdict(self, image: Tensor, draws: int) -> Verdict:
        """Of an image.

        Args:
            image: (1, side, side) in [0, 1], 1 for ink.
            draws: How many, of a posterior; an ensemble of posteriors shares them out among its members.
        """
        inputs = self.scale(image * self.maximum).unsqueeze(0)
        predictive = self._predictive(inputs, draws)
        single = None
        if isinstance(self.module, BayesByBackprop):
            single = _probabilities(self.module.predictive(inputs, "mean"))[0]
        return Verdict(
            _probabilities(predictive),
            predictive.probabilities[0],
            predictive.entropy.item(),
            predictive.mutual_information.item(),
            single,
        )

    def _predictive(self, inputs: Tensor, draws: int) -> Predictive:
        if isinstance(self.module, BayesByBackprop):
            return self.module.predictive(inputs, draws)
        if isinstance(self.module, DeepEnsemble):
            return self.module.predictive(inputs, math.ceil(draws / self.module.members))
        return self.module.predictive(inputs)


def classifier(name: str, module: SupervisedModule, path: Path) -> Classifier:
    """The classifier of a checkpoint.

    Args:
        name: As the page is to show it.
        module: Its model.
        path: Its file.

    Raises:
        UserError: If it is no classifier of grey square images, or if the file does not say how to scale a drawing.
    """
    if not isinstance(module.likelihood, likelihoods.Categorical):
        kind = type(module.likelihood).__name__
        raise UserError(f"{path}: its likelihood (={kind}) must be Categorical: the page shows class probabilities.")
    shape = module.input_shape
    if len(shape) != 3 or shape[0] != 1 or shape[1] != shape[2]:
        raise UserError(f"{path}: its inputs (of shape {shape}) must be grey square images: that is what can be drawn.")
    maximum, scale = _pixels(path)
    return Classifier(name, module, maximum, scale)


def _pixels(path: Path) -> tuple[float, Affine]:
    """The largest value of the pixels that a checkpoint's model was trained on, and how they became inputs."""
    states = [each for each in checkpoints.read(path).values() if isinstance(each, Mapping) and "pixels" in each]
    try:
        pixels = states[0]["pixels"]
        maximum, transform = float(pixels["maximum"]), pixels["transform"]
        scale = Affine(*(tuple(map(float, pixels["scaling"][name])) for name in ("shift", "scale")))
    except (IndexError, KeyError, TypeError, ValueError) as error:  # of another version, of other data, by another hand
        raise UserError(
            f"{path} does not say how its pixels were scaled. Train it with this version, on images."
        ) from error
    if transform is not None:
        raise UserError(f"{path} was trained on pixels after {transform}, which a drawing cannot have.")
    return maximum, scale


def _probabilities(predictive: Predictive) -> Tensor:
    """Of each draw, (S, K), of one input."""
    assert isinstance(predictive.conditional, Categorical)
    probabilities: Tensor = predictive.conditional.probs[:, 0]
    return probabilities
