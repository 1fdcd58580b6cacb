import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

# The same few examples in every run, whatever the machine's pace.
settings.register_profile("reproducible", derandomize=True, deadline=None, max_examples=25, database=None)
settings.load_profile("reproducible")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """The folder above MNIST/raw with the real data."""
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("LIGHTNING_VI_DATA") or shared)
    if not (root / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip(f"MNIST is not in {root}; set LIGHTNING_VI_DATA to the folder above MNIST/raw")
    return root
