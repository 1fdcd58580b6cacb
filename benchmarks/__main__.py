"""Run all benchmarks and write ``results/benchmarks.csv`` and ``results/benchmarks.md``.

Usage: OMP_NUM_THREADS=1 python -m benchmarks [--quick]
"""

import csv
import sys
from pathlib import Path

import torch

from benchmarks import adversarial, cost_model, devices, draws, ensemble, latent, memory, step, training
from benchmarks.pairs import Row, device
from lightning_vi.allocator import keep_freed_memory
from lightning_vi.provenance import commit

RESULTS = Path(__file__).parent.parent / "results"
HEAD = """# Benchmarks

Command: `OMP_NUM_THREADS=1 python -m benchmarks`. Both sides of a row take turns in one process on one thread; the
ratio is that of their medians. Single times are noise; on another machine ratios differ too.

Device: {device}. Commit: {commit}.

- A step: zero the gradients, forward, loss, backward, fused SGD or Adam; fp32, minibatch of 128. The reference is the
  step of the same network with single-valued weights, by fused SGD. Each Bayesian step computes the value of its
  complexity term. As under the command line, freed memory stays with the process (`lightning_vi/allocator.py`), for
  both sides.
- `fit`: an epoch of 391 training steps by the Trainer with the shipped progress bar, CSV logger and fused Adam, without
  validation and checkpoints. The reference
  is a plain loop over the same steps. One epoch of data alone has to stay below 150 ms.

- A variational autoencoder's step (Burda's net, 100 bits, fused Adam): the reference is the same step written by hand.
  Its test likelihood: the reference is the decoder's matrix products alone, the limit of any implementation.
- A GAN's iteration: a step of each network of gan_mnist.yaml, 100 images; `fit` against a plain loop.
- Several draws, several networks: the way that the package chooses against the other one, or against what cannot be
  saved. Memory and the cost model: measured against a bound or what docs/scaling.md predicts; megabytes or bytes
  where the name says so.
- Two processes: the fastest of 20 blocks of 5 steps of each kind, since all cores take part.

| what | size | ours, ms | reference, ms | ratio | at most |
|---|---|---|---|---|---|
"""


def main() -> None:
    """See the module."""
    quick = "--quick" in sys.argv[1:]
    torch.set_num_threads(1)
    keep_freed_memory()
    rows: list[Row] = step.rows(10 if quick else 100) + latent.rows(10 if quick else 100)
    rows += adversarial.rows(2 if quick else 7) + training.rows(1 if quick else 5)
    rows += draws.rows(10 if quick else 40) + ensemble.rows(10 if quick else 40)
    rows += cost_model.rows(5 if quick else 30) + memory.rows(2) + list(devices.rows(3 if quick else 20))
    lines = [
        f"| {row.name} | {row.size} | {row.ours:.2f} | {row.reference:.2f} | {row.ratio:.2f} | {row.bound or ''} |"
        for row in rows
    ]
    print("\n".join(lines))
    if not quick:
        RESULTS.joinpath("benchmarks.md").write_text(
            HEAD.format(device=device(), commit=commit()) + "\n".join(lines) + "\n"
        )
        with RESULTS.joinpath("benchmarks.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "size", "ours", "reference", "ratio", "device", "commit"])
            for row in rows:
                figures = [f"{value:.4g}" for value in (row.ours, row.reference, row.ratio)]
                writer.writerow([row.name, row.size, *figures, device(), commit()])


if __name__ == "__main__":
    main()
