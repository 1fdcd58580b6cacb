import os
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import pytest

from benchmarks.soak import Sample, descendants, paragraph, sample, slope


def test_slope_is_per_hour() -> None:
    samples = [Sample(10.0 * each, 100.0 + 0.5 * each, 3, 7, 0, 0) for each in range(20)]
    assert slope(samples, "megabytes") == pytest.approx(180.0)
    assert slope(samples, "files") == pytest.approx(0.0, abs=1e-9)


def test_warm_up_does_not_count() -> None:
    samples = [Sample(10.0 * each, 500.0 if each < 2 else 100.0, 3, 7, 0, each) for each in range(20)]
    text = paragraph(samples, 3, "here")
    assert "| resident memory, MB | 100 | 100 | 100 | 100 | +0.00 |" in text
    assert "samples saw 19 of these files" in text


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")
def test_a_child_its_memory_and_its_files_are_counted() -> None:
    command = [sys.executable, "-c", "import sys; data = bytes(50 * 2**20); print(flush=True); sys.stdin.read()"]
    before, others = sample(os.getpid(), 1.0, 0), descendants(os.getpid())
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert descendants(os.getpid()) == [*others, child.pid]
        during = sample(os.getpid(), 2.0, 0)
        child.communicate()
    assert before is not None
    assert during is not None
    seconds, _, files, threads, children, _ = (
        after - first for after, first in zip(astuple(during), astuple(before), strict=True)
    )
    assert (seconds, threads, children) == (1.0, 1, 1)
    assert files == 5  # two pipes here; input, output and errors there
    own = sample(child.pid, 3.0, 0)
    assert own is None
