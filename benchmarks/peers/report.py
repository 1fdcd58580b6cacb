"""The tables of ``results/peers.md`` and the lines of ``results/peers.csv``."""

import csv
import io
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version

from benchmarks.pairs import Row
from benchmarks.peers.complexity import Share, Term
from benchmarks.peers.epochs import STEPS
from benchmarks.peers.failures import Failure
from benchmarks.peers.steps import DETERMINISTIC

PACKAGES = (
    "bayesian-torch",
    "blitz-bayesian-pytorch",
    "torchbayesian",
    "tyxe",
    "pyro-ppl",
    "lightning-uq-box",
    "torch-uncertainty",
    "lightning",
)
HEAD = """# Beside other implementations of Bayes by Backprop

Command: `OMP_NUM_THREADS=1 python -m benchmarks.peers`, in the environment that `benchmarks/peers.txt` describes. All
sides take turns in one process on one thread; a ratio is that of medians. Single times are noise; on another machine
ratios differ too.

Device: {device}. Commit: {commit}. Versions: {versions}.

Each peer is used as its documentation shows, with its own layers, its own divergence and its own initial values,
unchanged. Where its documentation has several draws of the weights per step, one is drawn, as by ours.

## A training step

Zero the gradients, forward, loss, backward, fused SGD; fp32, minibatch of 128, one draw of the weights. Ours is the
step of `benchmarks/step.py` with compiled draws. Each peer is compared with ours under the same kind of prior: N(0, 1)
with the divergence in closed form, or the scale mixture (shares 1/2, standard deviations 1 and e^-6) by Monte Carlo.
bayesian-torch divides sums of means by the minibatch's size, as in its README, which costs what the ELBO would;
blitz and torch-uncertainty have the weight 1 / N. TyXe's loss is N times that of the others, and its step size as
much smaller. Freed memory stays with the process (`lightning_vi/allocator.py`), for all sides. Aimed at: 1.9 times
faster than the fastest, 3.5 times than blitz.

| prior | size | implementation | ms | by the deterministic step | ours, ms | times ours | at least |
|---|---|---|---|---|---|---|---|
"""
EPOCH = """
## An epoch by the Trainer

{steps} steps on random data, the second epoch of a fit on the CPU without checkpoints, validation, progress bar and
summary, with the CSV logger and fused Adam. lightning-uq-box's `BNN_VI_ELBO_Classification` and torch-uncertainty's
`ClassificationRoutine` (by its `TUTrainer`) with one draw read the data by PyTorch's `DataLoader`, ours by its own
loader from memory.

| prior | size | implementation | ms | ours, ms | times ours |
|---|---|---|---|---|---|
"""
ELBO = """
## Is the loss the evidence lower bound?

Per training example the negative ELBO adds KL[q || p] / N for the weights, with N the size of the training set (here
50,000, minibatches of 128). The table has what each loss adds instead, with the network in its initial state: the value
in nats, its ratio to the exact one (closed form, or quadrature for the mixture), and the ratio of the gradients,
which says what is trained (a constant drops out). 1 is the ELBO. A random term is the mean of 2000 draws, which leaves
about 1 % of noise in the ratio of gradients. A loss that averages over weights has a ratio that falls with the size of
the network.

| loss | network | added | KL / N | ratio | ratio of gradients | why |
|---|---|---|---|---|---|---|
"""
FAILED = """
## What does not run

- TyXe 0.0.2 with pyro-ppl 1.9.2: AttributeError: module 'pyro.util' has no attribute 'deep_getattr'. It is measured
  with 1.8.6, which it allows.
"""


def versions() -> str:
    """Names and versions of the packages that are installed."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found)


def _parts(row: Row) -> tuple[str, str]:
    """Prior and implementation, from a name such as "step, Gaussian prior, TyXe"."""
    _, prior, name = row.name.split(", ", 2)
    return prior, name


def _size(term: Term) -> str:
    return "-".join(map(str, term.widths))


def markdown(
    steps: Sequence[Row],
    epochs: Sequence[Row],
    complexity: Iterable[tuple[Term, Share]],
    failures: Iterable[Failure],
    device: str,
    commit: str,
) -> str:
    """The whole page."""
    lines = [HEAD.format(device=device, commit=commit, versions=versions()).rstrip("\n")]
    baseline = {row.size: row.reference for row in steps if _parts(row)[1] == DETERMINISTIC}
    for row in steps:
        prior, name = _parts(row)
        lines.append(
            f"| {prior} | {row.size} | {name} | {row.reference:.2f} | {row.reference / baseline[row.size]:.2f} | "
            f"{row.ours:.2f} | {row.speedup:.2f} | {row.bound or ''} |"
        )
    lines.append(EPOCH.format(steps=STEPS).rstrip("\n"))
    for row in epochs:
        prior, name = _parts(row)
        lines.append(f"| {prior} | {row.size} | {name} | {row.reference:.0f} | {row.ours:.0f} | {row.speedup:.2f} |")
    lines.append(ELBO.rstrip("\n"))
    for term, share in complexity:
        lines.append(
            f"| {term.name} | {_size(term)} | {share.added:.4g} | {share.exact:.4g} | {share.ratio:.4g} | "
            f"{share.gradient:.4g} | {term.reason} |"
        )
    lines.append(FAILED.rstrip("\n"))
    lines += [f"- {failure.name}: {failure.error}" for failure in failures] or ["- Nothing else."]
    return "\n".join(lines) + "\n"


def csv_lines(rows: Iterable[Row], complexity: Iterable[tuple[Term, Share]], device: str, commit: str) -> list[str]:
    """Header and lines; times in milliseconds, complexity in nats per training example. The ratio is reference by ours.

    In lines of complexity "ours" is the exact KL[q || p] / N.
    """
    terms = [Row(f"complexity, {term.name}", _size(term), share.exact, share.added) for term, share in complexity]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["name", "size", "ours", "reference", "ratio", "device", "commit"])
    for row in [*rows, *terms]:
        figures = [f"{value:.4g}" for value in (row.ours, row.reference, row.speedup)]
        writer.writerow([row.name, row.size, *figures, device, commit])
    return text.getvalue().splitlines()
