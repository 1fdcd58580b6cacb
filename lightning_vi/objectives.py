r"""The evidence lower bound by minibatches, so scaled that an epoch's steps add up to it exactly.

The negative ELBO of N examples is F = KL[q || p] + sum_n -E_q[log p(y_n | f_W(x_n))]. Cut into M minibatches,

.. math:: F = \sum_{i=1}^M F_i, \qquad F_i = \pi_i\, KL[q \,\|\, p] + \sum_{n \in B_i} -E_q[\log p(y_n | f_W(x_n))],
          \qquad \sum_i \pi_i = 1.

The loss of step i is F_i M / N, nats per training example: the mean of an epoch's losses is F / N, the negative
ELBO per example, whatever the size of the last minibatch. With equal minibatches of B = N / M examples and
pi_i = 1 / M it is the familiar mean NLL + KL / N.

A step may accumulate the gradients of A minibatches. It is the step of one minibatch A times as large then, with the
large minibatch's share of the KL and scale, and so is the last step of an epoch where fewer than A are left.

References:
    Blundell et al. (2015), Weight Uncertainty in Neural Networks, equations 8 and 9. Lecture 13, Bayes by Backprop.
    Wenzel et al. (2020), How Good is the Bayes Posterior in Deep Neural Networks Really?, section 2 (temperatures).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.estimators import Estimate
from lightning_vi.likelihoods import Likelihood
from lightning_vi.weighting import Weighting


@dataclass(frozen=True)
class Epoch:
    """How the training set is cut into steps.

    Args:
        examples: N, the size of the training set, over all devices.
        visited: Examples that one epoch visits: N, or fewer where an incomplete batch is dropped or the number of
            batches limited.
        batches: M, minibatches of one epoch on each device.
        devices: Processes whose gradients are averaged, each with its own part of every minibatch.
        accumulated: Minibatches whose gradients are averaged before a step; the epoch's last step may have fewer.
    """

    examples: int
    visited: int
    batches: int
    devices: int = 1
    accumulated: int = 1

    def __post_init__(self) -> None:
        if min(self.examples, self.visited, self.batches, self.devices, self.accumulated) < 1:
            raise UserError(f"{self}: all numbers must be at least 1.")
        if self.visited > self.examples:
            raise UserError(f"{self}: visited must not exceed examples.")

    @property
    def steps(self) -> int:
        """Steps of the optimizer in one epoch."""
        return math.ceil(self.batches / self.accumulated)

    @property
    def scale(self) -> int:
        """What a minibatch's part of F / N is multiplied by: M, if all steps have as many minibatches.

        A step takes the sum of its minibatches' gradients by `accumulated`, also the last one, which may have fewer.
        """
        return self.steps * self.accumulated

    def share(self, weighting: Weighting, batch: int) -> float:
        """pi_i of a minibatch, counted from 0: those of a step have equal parts of what the weighting gives it."""
        step, place = divmod(batch, self.accumulated)
        minibatches = min(self.accumulated, self.batches - batch + place)
        return weighting(step, self.steps) / minibatches


class Objective(NamedTuple):
    """One step's loss and its parts, each of shape (), nats per training example.

    Attributes:
        nll: Expected negative log likelihood.
        kl: Complexity, with the step's share of it.
        temperature: T of a tempered posterior, see :attr:`loss`.
    """

    nll: Tensor
    kl: Tensor
    temperature: float = 1.0

    @property
    def loss(self) -> Tensor:
        r"""The negative evidence lower bound, nll + kl; at another temperature nll + T kl, which is none.

        Among all distributions :math:`q \propto p(D \mid w)^{1/T} p(w)` minimises the latter: below 1 the data count
        more often than once.
        """
        return self.nll + self.kl if self.temperature == 1.0 else self.nll + self.temperature * self.kl


def expected_nll(likelihood: Likelihood, outputs: Tensor, targets: Tensor, epoch: Epoch) -> Tensor:
    """This device's part of a minibatch's expected negative log likelihood.

    Args:
        likelihood: Turns outputs into a distribution of targets.
        outputs: Shape (S, B, ...).
        targets: Shape (B, ...).
        epoch: Gives the scale.

    Returns:
        Shape (), nats per training example; averaged over devices and over the epoch's steps it is the training
        set's mean.
    """
    total = likelihood.nll(outputs, targets).sum()
    return total * (epoch.devices * epoch.scale / epoch.visited / outputs.shape[0])


def negative_elbo(
    estimate: Estimate, likelihood: Likelihood, targets: Tensor, share: float, epoch: Epoch, temperature: float = 1.0
) -> Objective:
    """The objective of one step.

    Args:
        estimate: Outputs (S, B, ...) and KL (), in nats, of the posterior's draws.
        likelihood: Turns outputs into a distribution of targets.
        targets: Shape (B, ...).
        share: pi_i, the minibatch's share of the KL term, see `Epoch.share`; those of an epoch add up to 1.
        epoch: How the training set is cut into steps.
        temperature: T, which the KL counts times; at another than 1 the objective is not the ELBO.
    """
    nll = expected_nll(likelihood, estimate.outputs, targets, epoch)
    return Objective(nll, estimate.kl * (share * epoch.scale / epoch.examples), temperature)
