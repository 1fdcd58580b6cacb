"""Peak memory that `predict` takes under a budget: `python -m benchmarks.predict_memory 64`, in MiB.

LeNet with two draws of its weights on 20,000 images of 28 x 28; the difference of the process's greatest resident set
before and after, so each budget wants a process of its own.
"""

import resource
import sys

import torch

from lightning_vi.modules import BayesByBackprop
from lightning_vi.networks import LeNet


def peak() -> float:
    """The greatest resident set of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(budget: int) -> None:
    """Measure and print."""
    torch.manual_seed(0)
    model = BayesByBackprop(LeNet, (1, 28, 28), 10)
    inputs = torch.rand(20_000, 1, 28, 28)
    model.predict(inputs[:10], draws=1)
    before = peak()
    model.predict(inputs, draws=2, memory=budget * 2**20)
    print(f"memory={budget} MiB: {peak() - before:.0f} MiB more at the peak")


if __name__ == "__main__":
    main(int(sys.argv[1]))
