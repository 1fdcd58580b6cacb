"""Which version of this package's source is at work."""

import subprocess
from functools import lru_cache
from pathlib import Path

import lightning_vi


@lru_cache
def commit() -> str:
    """The commit of this package's source, marked if its files differ; its version where it has no repository.

    As it is at the first call: what a process has imported does not change with the files.
    """
    package = Path(lightning_vi.__file__).parent
    sources = [str(package), *(str((package / name).resolve()) for name in ("callbacks", "datamodules", "configs"))]
    git = ["git", "-C", str(package)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=False)
        differs = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", *sources], capture_output=True, check=False)
    except FileNotFoundError:
        return lightning_vi.__version__
    if head.returncode != 0:
        return lightning_vi.__version__
    return f"{head.stdout.strip()}{'-dirty' if differs.returncode != 0 else ''}"
