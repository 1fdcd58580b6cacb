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

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", "-C", str(package), *arguments], capture_output=True, text=True, check=False)

    try:
        # Installed, it may lie in a repository that is not its own.
        if git("ls-files", "--error-unmatch", "__init__.py").returncode != 0:
            return lightning_vi.__version__
    except FileNotFoundError:  # no git
        return lightning_vi.__version__
    head = git("rev-parse", "--short=10", "HEAD").stdout.strip()
    return f"{head}-dirty" if git("diff", "--quiet", "HEAD", "--", *sources).returncode != 0 else head
