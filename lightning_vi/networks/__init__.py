from lightning_vi.networks.activations import GaussianBump as GaussianBump
from lightning_vi.networks.activations import Sign as Sign
from lightning_vi.networks.activations import Sinc as Sinc
from lightning_vi.networks.activations import Sine as Sine
from lightning_vi.networks.dropconnect import DropConnect as DropConnect
from lightning_vi.networks.lenet import LeNet as LeNet
from lightning_vi.networks.mlp import MLP as MLP
from lightning_vi.networks.network import Network as Network
