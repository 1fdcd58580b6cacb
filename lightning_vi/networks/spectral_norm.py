from collections.abc import Sequence

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from lightning_vi.networks.network import Network


class SpectralNorm(nn.Sequential):
    """A network whose linear and convolutional layers have weights of spectral norm 1, estimated by power iteration.

    PyTorch cannot pickle such networks; their state and copies are as those of others.

    References:
        Miyato, Kataoka, Koyama, Yoshida 2018, Spectral Normalization for Generative Adversarial Networks, section 2.1.
    """

    def __init__(self, input_shape: Sequence[int], output_size: int, net: Network) -> None:
        """A network from inputs (B, *input_shape) to outputs (B, output_size).

        Args:
            input_shape: shape of one input.
            output_size: number of outputs.
            net: the network itself.
        """
        super().__init__(net if isinstance(net, nn.Module) else net(tuple(input_shape), output_size))
        for layer in list(self.modules()):
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                spectral_norm(layer)
