import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, torch
from lightning_vi.allocator import keep_freed_memory
kept = keep_freed_memory() if "keep" in sys.argv else None
def step():
    return [torch.zeros(2_000_000) for _ in range(6)]
step(), step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(*arguments: str, **environment: str) -> tuple[str, int]:
    command = [sys.executable, "-c", FAULTS, *arguments]
    words = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    return words[0], int(words[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's malloc that gives memory back")
def test_steps_reuse_the_memory_of_the_last_one() -> None:
    _, returned = page_faults()
    tries = [page_faults("keep") for _ in range(3)]
    assert {kept for kept, _ in tries} == {"True"}
    assert returned > 10_000  # 10 steps of 48 MB in pages of 4 kB
    # 0, unless the system takes unused pages away meanwhile, which only adds some.
    assert min(reused for _, reused in tries) < returned / 4


def test_the_environment_decides() -> None:
    assert page_faults("keep", MALLOC_TRIM_THRESHOLD_="131072")[0] == "False"
