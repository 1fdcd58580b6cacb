"""Run parts, or tell the report that one was stopped. The script beside this folder calls it.

Usage: python -m benchmarks.gpu PART [PART ...] --out FOLDER [--device cpu] [--quick] [--seconds N]
       python -m benchmarks.gpu PART --out FOLDER --stopped REASON
"""

import argparse
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

from benchmarks.gpu.report import FAIL, PASS, Report
from lightning_vi.provenance import commit

PARTS = ("correctness", "goal", "speed", "modules")


def main() -> int:
    """See the module; 3 if the report has failures, since 1 is what Python itself exits with."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float, default=500.0)
    parser.add_argument("--commit", default="")
    parser.add_argument("--stopped", default="")
    options = parser.parse_args()
    source = options.commit or commit()
    if options.stopped:
        for part in options.parts:
            Report(options.out, part, "", source).outcome(part, FAIL, options.stopped, kind="part")
        return 3
    failed = [
        part
        for part in options.parts
        if not _run(part, options.out, options.device, options.quick, options.seconds, source)
    ]
    return 3 if failed else 0


def _run(part: str, out: Path, device: str, quick: bool, seconds: float, source: str) -> bool:
    start = time.monotonic()
    report = Report(out, part, device, source)
    try:
        _run_on_device(part, report, quick, seconds)
    except Exception as error:  # the other parts may still run
        traceback.print_exc()
        report.outcome(part, FAIL, (str(error).strip() or type(error).__name__).splitlines()[0], kind="part")
        return False
    failures = list(report.failures)
    remark = f"{time.monotonic() - start:.0f} s" + (f"; failed: {', '.join(failures)}" if failures else "")
    report.outcome(part, FAIL if failures else PASS, remark, kind="part")
    return not failures


def _run_on_device(part: str, report: Report, quick: bool, seconds: float) -> None:
    import torch

    from benchmarks import pairs
    from benchmarks.gpu.plan import Plan
    from lightning_vi.quiet import quiet

    device = torch.device(report.device, 0) if report.device == "cuda" else torch.device("cpu")
    if device.type == "cuda":
        report.device = f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    else:
        torch.set_num_threads(1)
        report.device = pairs.device()
    with quiet():
        import_module(f"benchmarks.gpu.{part}").run(Plan(device, quick, seconds), report)


if __name__ == "__main__":
    sys.exit(main())
