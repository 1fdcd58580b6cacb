"""Weightings of the KL divergence over the minibatches of an epoch.

An epoch of M minibatches D_1 ... D_M adds up to the negative ELBO if minibatch i pays the share pi_i of
the KL and the shares sum to one (Blundell et al. 2015, section 3.4):

    F_i = pi_i KL[q(w) || p(w)] - E_q[log p(D_i | w)],    sum_i pi_i = 1.

References:
    Graves 2011, Practical Variational Inference for Neural Networks (uniform shares).
    Blundell, Cornebise, Kavukcuoglu, Wierstra 2015, Weight Uncertainty in Neural Networks, equation 9.
"""

from abc import ABC, abstractmethod

from lightning_vi.errors import UserError


class Weighting(ABC):
    """The share of the KL that each minibatch of an epoch pays. The shares of an epoch sum to one."""

    def __call__(self, batch: int, batches: int) -> float:
        """The share of one minibatch.

        Args:
            batch: index of the minibatch in its epoch, 0 ... batches - 1.
            batches: number of minibatches M in an epoch.

        Raises:
            UserError: if the index lies outside the epoch.
        """
        if not 0 <= batch < batches:
            raise UserError(
                f"{type(self).__name__}: batch (={batch}) must lie in [0, {batches}), the epoch's batches. "
                "Was the batch size passed as their number?"
            )
        return self.share(batch, batches)

    @abstractmethod
    def share(self, batch: int, batches: int) -> float:
        """See `__call__`; the arguments are already checked."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Uniform(Weighting):
    """pi_i = 1 / M: every minibatch pays the same."""

    def share(self, batch: int, batches: int) -> float:
        """See `Weighting.share`."""
        return 1.0 / batches


class Geometric(Weighting):
    """pi_i = 2^(M - i) / (2^M - 1), i = 1 ... M: the prior speaks first in an epoch, then the data.

    References:
        Blundell et al. 2015, equation 9.
    """

    def share(self, batch: int, batches: int) -> float:
        """See `Weighting.share`."""
        # Divided by 2^M, which overflows beyond M = 1023; late in an epoch the share underflows to 0.
        return 2.0 ** -(batch + 1) / (1.0 - 2.0**-batches)
