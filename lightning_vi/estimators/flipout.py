r"""One draw of the weights, decorrelated between examples by random signs.

With a shared perturbation dW of mean zero that is symmetric in each element, and signs s, r of its own for every
example n,

.. math:: W_n = \mu_W + dW \circ r_n s_n^T, \qquad a_n = \mu_W x_n + \big(dW (x_n \circ s_n)\big) \circ r_n

has the same distribution for each example as a draw of its own.

References:
    Wen, Vicol, Ba, Tran and Grosse (2018), Flipout: Efficient Pseudo-Independent Weight Perturbations on
    Mini-Batches, equation 4.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lightning_vi.estimators.layerwise import LayerWeights, LayerwiseEstimator, linear_map
from lightning_vi.noise import NoiseStream


class Flipout(LayerwiseEstimator):
    """Flip the signs of the weight noise, example by example, in linear and convolutional layers.

    See :class:`Estimator`. An example keeps its signs over all positions, and over all uses of a layer, so it sees
    one set of weights throughout.
    """

    layers = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)

    def _hook(
        self, noise: NoiseStream, sign: float, mean: LayerWeights, sigma: LayerWeights, drawn: LayerWeights
    ) -> Any:
        noise_weight = drawn.weight - mean.weight
        noise_bias = None if drawn.bias is None or mean.bias is None else drawn.bias - mean.bias
        signs: list[Tensor] = []

        def hook(layer: nn.Module, inputs: tuple[Tensor], outputs: Tensor) -> Tensor:
            (x,) = inputs
            channel = -1 if isinstance(layer, nn.Linear) else 1
            if not signs:
                signs.extend(_signs(noise, t, channel) for t in (x, outputs))
            return outputs + linear_map(layer, x * signs[0], noise_weight, noise_bias) * signs[1]

        return hook


def _signs(noise: NoiseStream, like: Tensor, channel: int) -> Tensor:
    """Random +1 and -1 for each example and channel of a tensor, the same at all its positions."""
    shape = [1] * like.dim()
    shape[0], shape[channel] = like.shape[0], like.shape[channel]
    normal = noise.normal(shape[0] * shape[channel], like.device, like.dtype)
    return torch.where(normal < 0.0, -1.0, 1.0).to(like.dtype).view(shape)
