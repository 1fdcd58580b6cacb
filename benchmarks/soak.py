"""Half an hour of training on MNIST, with a checkpoint every few seconds: are memory, file handles and threads flat?

Usage: OMP_NUM_THREADS=1 python -m benchmarks.soak [--minutes 30]

Writes ``results/soak.csv``, a line for every 10 s, and ``results/soak.md``, which ``results/reliability.md`` includes.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from pathlib import Path

import numpy as np

from benchmarks.faults import report
from benchmarks.pairs import device
from lightning_vi.provenance import commit

RESULTS = Path(__file__).parent.parent / "results"
PERIOD = 10.0
WARM_UP = 0.1
"""The share of the samples that is left out at the start: caches fill, and the first checkpoints are written."""

OVERLAY = """\
trainer:
  max_epochs: 100000
  callbacks:
    - {{class_path: Timer, init_args: {{duration: "{duration}", interval: epoch}}}}
    - ProgressBar
    - LearningCurves
    - ReliabilityDiagram
    - SignalToNoise
    - UncertainImages
    - class_path: ModelCheckpoint
      init_args: {{filename: best, monitor: val/nll, enable_version_counter: false}}
    - class_path: LastCheckpoint
      init_args: {{every: 200 steps}}
"""


@dataclass(frozen=True)
class Sample:
    """What a process and its children hold at a time, in seconds; checkpoints: how many `last.ckpt` it has seen."""

    seconds: float
    megabytes: float
    files: int
    threads: int
    children: int
    checkpoints: int


def sample(pid: int, seconds: float, checkpoints: int) -> Sample | None:
    """Read `/proc`; None if a process has ended in between."""
    try:
        family = [pid, *descendants(pid)]
        status = [dict(line.split(":\t", 1) for line in _status(each) if ":\t" in line) for each in family]
        return Sample(
            round(seconds, 1),
            round(sum(int(each["VmRSS"].split()[0]) for each in status) / 2**10, 1),
            sum(len(list(Path(f"/proc/{each}/fd").iterdir())) for each in family),
            sum(int(each["Threads"]) for each in status),
            len(family) - 1,
            checkpoints,
        )
    except (OSError, KeyError):  # of a process that has ended and is not reaped there is no memory
        return None


def descendants(pid: int) -> list[int]:
    """The children of a process, theirs, and so on."""
    lists = (each.read_text().split() for each in Path(f"/proc/{pid}/task").glob("*/children"))
    children = [int(child) for each in lists for child in each]
    return [*children, *(below for child in children for below in descendants(child))]


def _status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text().splitlines()


def soak(minutes: float, folder: Path) -> list[Sample]:
    """Train in a folder for so long, without the test at the end, and sample the process meanwhile.

    Raises:
        subprocess.CalledProcessError: if training has failed.
    """
    duration = timedelta(minutes=minutes)
    clock = f"{duration.days:02}:{time.strftime('%H:%M:%S', time.gmtime(duration.seconds))}"
    folder.joinpath("soak.yaml").write_text(OVERLAY.format(duration=clock))
    command = [sys.executable, "-m", "lightning_vi", "fit", "--config", "bbb_mnist.yaml", "--config", "soak.yaml"]
    samples, saved, start = [], set[int](), time.monotonic()
    with subprocess.Popen([*command, "--test_checkpoint=none"], cwd=folder, stdout=subprocess.DEVNULL) as process:
        while _is_running(process):
            saved |= {each.stat().st_mtime_ns for each in folder.glob("runs/*/*/checkpoints/last.ckpt")}
            if (taken := sample(process.pid, time.monotonic() - start, len(saved))) is not None:
                samples.append(taken)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return samples


def _is_running(process: subprocess.Popen[bytes]) -> bool:
    """Whether it still runs after a period."""
    try:
        process.wait(PERIOD)
    except subprocess.TimeoutExpired:
        return True
    return False


def slope(samples: Sequence[Sample], name: str) -> float:
    """Least squares, per hour."""
    hours = np.array([each.seconds / 3600 for each in samples])
    values = np.array([getattr(each, name) for each in samples], dtype=float)
    hours -= hours.mean()
    return float(hours @ values / (hours @ hours))


def paragraph(samples: Sequence[Sample], minutes: float, where: str) -> str:
    """Markdown: the first and the last sample after the warm-up, the extremes, and the slopes per hour."""
    warm = samples[int(WARM_UP * len(samples)) :]
    first, last = warm[0], warm[-1]
    lines = [
        f"{minutes:g} minutes of `bbb_mnist.yaml`, with `last.ckpt` written at each epoch's end and every 200 steps;",
        f"the samples saw {last.checkpoints} of these files. A sample every {PERIOD:g} s of the process and its",
        f"children, the first {first.seconds / 60:.1f} minutes left out. All samples: [soak.csv](soak.csv).",
        f"Command: `OMP_NUM_THREADS=1 python -m benchmarks.soak --minutes {minutes:g}`.",
        where,
        "The last sample is of the pictures at the end of training.",
        "",
        "| | first | last | least | most | slope per hour |",
        "|---|---|---|---|---|---|",
    ]
    for name, label in (("megabytes", "resident memory, MB"), ("files", "open files"), ("threads", "threads")):
        values = [getattr(each, name) for each in warm]
        ends = f"{values[0]:g} | {values[-1]:g} | {min(values):g} | {max(values):g}"
        lines.append(f"| {label} | {ends} | {slope(warm, name):+.2f} |")
    return "\n".join(lines)


def write(samples: Iterable[Sample], file: Path) -> None:
    """A line for each sample."""
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [each.name for each in fields(Sample)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, samples))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    where = f"Device: {device()}. Commit: {commit()}."
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        samples = soak(minutes, Path(folder))
    write(samples, RESULTS / "soak.csv")
    (RESULTS / "soak.md").write_text(paragraph(samples, minutes, where) + "\n")
    report.update(RESULTS, [])


if __name__ == "__main__":
    main()
