import tomllib
from pathlib import Path

import torch
import torch.nn.functional as F

from lightning_vi.datamodules import MNIST, UnitInterval
from lightning_vi.mnist_features import pretrained

ROOT = Path(__file__).resolve().parents[2]


def test_the_weights_are_small_and_installed() -> None:
    file = ROOT / "lightning_vi" / "mnist_features" / "weights.pt"
    assert file.stat().st_size <= 1_000_000
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert file.name in settings["package-data"]["lightning_vi.mnist_features"]


def test_the_network_is_ready_to_judge() -> None:
    network, images = pretrained(), torch.rand(4, 1, 28, 28)
    assert network.features(images).shape == (4, 128)
    assert torch.equal(network(images), network(images))
    assert network(images).isfinite().all()
    assert not any(each.requires_grad for each in network.parameters())
    assert all(each.dtype == torch.float32 for each in network.parameters())


def test_its_test_error_is_at_most_one_per_cent(mnist_root: Path) -> None:
    images, labels = MNIST(root=mnist_root, scaling=UnitInterval()).splits().test.tensors
    network = pretrained()
    logits = torch.cat([network(block) for block in images.split(1000)])
    assert float((logits.argmax(dim=1) != labels).double().mean()) <= 0.01
    assert float(F.cross_entropy(logits, labels)) < 0.04
