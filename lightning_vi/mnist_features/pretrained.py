"""The classifier of MNIST that comes with the package; `benchmarks.mnist_features` writes its weights."""

from importlib.resources import as_file, files

import torch

from lightning_vi.mnist_features.network import DigitNetwork

WEIGHTS = files("lightning_vi.mnist_features") / "weights.pt"
"""State of the network, in half precision."""

INPUT_SHAPE = (1, 28, 28)
CLASSES = 10


def pretrained() -> DigitNetwork:
    """The classifier of digits (B, 1, 28, 28) in [0, 1], in evaluation mode; its output layer gives logits (B, 10).

    References:
        LeCun, Bottou, Bengio, Haffner 1998, Gradient-Based Learning Applied to Document Recognition (the data).
    """
    network = DigitNetwork(INPUT_SHAPE, CLASSES)
    with as_file(WEIGHTS) as file:
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(False)
