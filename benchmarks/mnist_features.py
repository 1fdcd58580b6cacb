"""Write the weights of ``lightning_vi.mnist_features`` from a checkpoint.

Usage, the weights that come with the package:

    lightning-vi fit --config mnist_classifier.yaml
    python -m benchmarks.mnist_features runs/mnist_classifier/version_0/checkpoints/best.ckpt
"""

import sys
from pathlib import Path

import torch

from lightning_vi import checkpoints
from lightning_vi.whole_file import whole

WEIGHTS = Path(__file__).parent.parent / "lightning_vi" / "mnist_features" / "weights.pt"
PREFIX = "model."  # under which `PointEstimate` keeps its network


def write(checkpoint: Path, file: Path) -> None:
    """Write a network's state in half precision, half the size: its outputs change in the fourth digit."""
    state = checkpoints.read(checkpoint)["state_dict"]
    halves = {
        name.removeprefix(PREFIX): value.to("cpu", torch.float16)
        for name, value in state.items()
        if name.startswith(PREFIX)
    }
    with whole(file) as part:
        torch.save(halves, part)


if __name__ == "__main__":
    write(Path(sys.argv[1]), WEIGHTS)
