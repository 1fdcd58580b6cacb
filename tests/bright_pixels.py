"""Images whose classes are known: the pixel of the class is bright."""

import torch
from torch import Tensor, nn

CLASSES = 10


def images_of(labels: Tensor) -> Tensor:
    """Images (N, 1, 3, 4) of labels (N,): of the twelve pixels, two are never bright."""
    images = 0.2 + 0.03 * torch.randn(len(labels), 12)
    images[torch.arange(len(labels)), labels] += 0.6
    return images.clamp(0, 1).view(-1, 1, 3, 4)


class BrightestPixel(nn.Module):
    """Logits (B, 10) of pixels (B, 12): a classifier that is right and sure."""

    def forward(self, features: Tensor) -> Tensor:
        return 100 * features[:, :CLASSES]
