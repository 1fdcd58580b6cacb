r"""Noise on pre-activations instead of weights.

For independent Gaussian weights the pre-activations of one example are independent Gaussians too:

.. math:: a = W x + b \sim N\Big(\mu_W x + \mu_b,\; \sigma_W^2 x^2 + \sigma_b^2\Big).

Drawing those gives every example its own noise, so the gradient's variance falls with the size of the minibatch.

References:
    Kingma, Salimans and Welling (2015), Variational Dropout and the Local Reparameterization Trick, equation 6.
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.estimators.layerwise import LayerWeights, LayerwiseEstimator, linear_map
from lightning_vi.noise import NoiseStream


class LocalReparameterisation(LayerwiseEstimator):
    """Draw the pre-activations of linear layers. See :class:`Estimator`.

    It is exact only where an example meets a weight once. Where a layer is applied to several positions of an
    example (inputs of more than two dimensions, convolutions), the positions share their weights, and independent
    noise for each would change the model: there the weights are drawn instead, once per minibatch.

    Raises:
        UserError: If a linear layer is used twice in one forward pass.
    """

    layers = (nn.Linear,)

    def _hook(
        self, noise: NoiseStream, sign: float, mean: LayerWeights, sigma: LayerWeights, drawn: LayerWeights
    ) -> Any:
        calls = 0

        def hook(layer: nn.Module, inputs: tuple[Tensor], outputs: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            (x,) = inputs
            if x.dim() > 2:
                return linear_map(layer, x, *drawn)
            if calls > 1:
                raise UserError(
                    "LocalReparameterisation: a linear layer is used twice in one pass, where its noise would differ; "
                    "use WeightSampling or Flipout."
                )
            bias_variance = None if sigma.bias is None else sigma.bias.square()
            variance = F.linear(x.square(), sigma.weight.square(), bias_variance)
            epsilon = sign * noise.normal(outputs.numel(), outputs.device, outputs.dtype).view_as(outputs)
            # A row of zeros without a bias has variance 0, where the root has no derivative.
            return outputs + variance.clamp(min=1e-20).sqrt() * epsilon

        return hook
