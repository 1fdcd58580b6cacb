from lightning_vi.mnist_features.network import DigitNetwork as DigitNetwork
