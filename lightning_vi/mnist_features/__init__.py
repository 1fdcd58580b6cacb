from lightning_vi.mnist_features.network import DigitNetwork as DigitNetwork
from lightning_vi.mnist_features.pretrained import pretrained as pretrained
