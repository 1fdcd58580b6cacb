from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.networks.network import Network
from lightning_vi.networks.uniform_weights import require_plain


class Residual(nn.Module):
    """f(x) = w x + g(x) with one weight w for each dimension, for outputs of the inputs' size.

    It starts as the identity with a small disturbance: w at 1, and the weights of g's last linear layer from
    N(0, 0.01 / n) for its n inputs.
    """

    def __init__(self, input_shape: Sequence[int], output_size: int, net: Network) -> None:
        """A map from inputs (B, D) to outputs (B, D).

        Args:
            input_shape: (D,).
            output_size: D.
            net: the network of g.

        Raises:
            UserError: where inputs and outputs have different sizes, or the net is a SpectralNorm.
        """
        super().__init__()
        if tuple(input_shape) != (output_size,):
            raise UserError(
                f"Residual: output_size (={output_size}) must be the size of the inputs {tuple(input_shape)}; "
                "for a generator the noise's size."
            )
        self.weight = nn.Parameter(torch.ones(output_size))
        self.net = net if isinstance(net, nn.Module) else net(tuple(input_shape), output_size)
        for layer in [each for each in self.net.modules() if isinstance(each, nn.Linear)][-1:]:
            require_plain("Residual", layer)
            nn.init.normal_(layer.weight, std=0.1 * layer.in_features**-0.5)

    def forward(self, inputs: Tensor) -> Tensor:
        """See the class."""
        outputs: Tensor = self.weight * inputs + self.net(inputs)
        return outputs
