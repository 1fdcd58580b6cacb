import math
from collections.abc import Sequence

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from lightning_vi.errors import UserError
from lightning_vi.networks.network import Network


def require_plain(owner: str, layer: nn.Module) -> None:
    """Refuse a layer whose weights cannot be set, since they are computed of others.

    Raises:
        UserError: for one with a parametrization.
    """
    if is_parametrized(layer):
        raise UserError(f"{owner}: the weights of a SpectralNorm cannot be set. Put {owner} into it, as its net.")


class UniformWeights(nn.Sequential):
    """A network whose weights start uniform: within a bound, with biases at zero, or as PyTorch has them.

    Generative adversarial networks are started with smaller weights than classifiers: an update of Adam, whose size
    does not depend on that of the weights, then turns them further.

    PyTorch's own bound is 1 / sqrt(n) for n inputs, of the biases too. Networks of one input need biases that are not
    all zero: otherwise the kinks of all ReLUs lie at 0.

    References:
        Goodfellow et al. 2014, Generative Adversarial Nets, published code (0.05 and 0.005). Radford, Metz, Chintala
        2016, Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks, section 4
        (a standard deviation of 0.02, that of a bound of 0.035).
    """

    def __init__(self, input_shape: Sequence[int], output_size: int, net: Network, bound: float | None = None) -> None:
        """A network from inputs (B, *input_shape) to outputs (B, output_size).

        Args:
            input_shape: shape of one input.
            output_size: number of outputs.
            net: the network itself.
            bound: of the weights of linear and convolutional layers; None for PyTorch's own.

        Raises:
            UserError: unless the bound is positive and finite, or for layers whose weights are computed of others.
        """
        if bound is not None and not 0.0 < bound < math.inf:
            raise UserError(f"UniformWeights: bound (={bound}) must be positive and finite.")
        super().__init__(net if isinstance(net, nn.Module) else net(tuple(input_shape), output_size))
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                require_plain("UniformWeights", layer)
                layer.reset_parameters()
                if bound is not None:
                    nn.init.uniform_(layer.weight, -bound, bound)
                    if layer.bias is not None:
                        nn.init.zeros_(layer.bias)
