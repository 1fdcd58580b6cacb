from typing import Any

import torch
from torch import Tensor
from torch import distributions as dist

from lightning_vi.errors import UserError
from lightning_vi.likelihoods.likelihood import Likelihood


class Standardised(Likelihood):
    r"""A Gaussian likelihood whose network works in standard deviations of the training targets.

    .. math:: p(y \mid f) = \prod_d \frac1{s_d}\, p_0\!\left(\frac{y_d - m_d}{s_d} \,\Big|\, f\right)

    with m and s the mean and standard deviation of each dimension of the training targets. Targets and all that is said
    of them (predictions, intervals, scores, the NLL's density) stay in their own units: priors and learning rates need
    not know whether y is in cents or in millions.

    m and s are found when a training begins, see `lightning_vi.modules.supervised.SupervisedModule`, and kept with the
    weights. Before, they are 0 and 1.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, likelihood: Likelihood) -> None:
        """A likelihood of standardised targets, in units of the targets.

        Args:
            likelihood: p_0, `Gaussian` or `HeteroscedasticGaussian`; its standard deviations are in units of s.
        """
        super().__init__()
        self.likelihood = likelihood
        # Not among the weights: their shape is known only with the targets. See `get_extra_state`.
        self.register_buffer("mean", torch.zeros(1), persistent=False)
        self.register_buffer("scale", torch.ones(1), persistent=False)
        self.started = False

    def start(self, targets: Tensor) -> None:
        """Take m and s from the training targets (N, D), unless they are known.

        Raises:
            UserError: if a dimension does not vary.
        """
        if self.started:
            return
        scale, mean = torch.std_mean(targets.cpu().double(), dim=0, correction=0)
        if not bool((scale > 0).all()):
            raise UserError("Standardised: all training targets are equal; there is nothing to learn from them.")
        self._set(mean, scale)

    def output_size(self, target_size: int) -> int:
        """See `Likelihood.output_size`."""
        return self.likelihood.output_size(target_size)

    def forward(self, outputs: Tensor) -> dist.Independent[dist.Normal]:
        """See `Likelihood.forward`: outputs are those of the likelihood within; event shape (D,).

        Raises:
            UserError: if that is not Gaussian.
        """
        within = self.likelihood(outputs)
        if not (isinstance(within, dist.Independent) and isinstance(within.base_dist, dist.Normal)):
            raise UserError(
                f"Standardised: likelihood (={type(self.likelihood).__name__}) must be Gaussian or "
                "HeteroscedasticGaussian."
            )
        mean, scale = self.mean + self.scale * within.base_dist.loc, self.scale * within.base_dist.scale
        return dist.Independent(dist.Normal(mean, scale, validate_args=False), 1, validate_args=False)

    def get_extra_state(self) -> dict[str, Any]:
        """m and s, as plain numbers."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist(), "started": self.started}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """See :meth:`get_extra_state`."""
        self._set(*(torch.tensor(state[name], dtype=torch.float64) for name in ("mean", "scale")))
        self.started = state["started"]

    def _set(self, mean: Tensor, scale: Tensor) -> None:
        self.mean, self.scale, self.started = mean.to(self.mean), scale.to(self.scale), True
