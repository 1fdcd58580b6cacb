import subprocess
import sys
from pathlib import Path

import pytest

import lightning_vi
from lightning_vi.provenance import commit

COPY = """
import sys
sys.path.insert(0, sys.argv[1])
from lightning_vi.provenance import commit
print(commit())
"""


@pytest.fixture(autouse=True)
def fresh() -> None:
    commit.cache_clear()


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def repository(folder: Path) -> Path:
    """A repository with a package that has our file of provenance."""
    package = folder / "lightning_vi"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "7.7"\n')
    (package / "provenance.py").write_text(Path(lightning_vi.__file__).with_name("provenance.py").read_text())
    git(folder, "init", "-q")
    return package


def told(folder: Path) -> str:
    # -S: without the editable installation of this package
    done = subprocess.run([sys.executable, "-S", "-c", COPY, str(folder)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_of_the_source_marked_if_files_differ(tmp_path: Path) -> None:
    package = repository(tmp_path)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    head = git(tmp_path, "rev-parse", "--short=10", "HEAD")
    assert told(tmp_path) == head
    (tmp_path / "other").write_text("no source")
    assert told(tmp_path) == head
    (package / "__init__.py").write_text('__version__ = "7.8"\n')
    assert told(tmp_path) == f"{head}-dirty"


def test_a_repository_that_is_not_its_own_does_not_count(tmp_path: Path) -> None:
    repository(tmp_path)
    (tmp_path / "theirs").write_text("x")
    git(tmp_path, "add", "theirs")
    git(tmp_path, "commit", "-qm", "x")
    assert told(tmp_path) == "7.7"


def test_no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit() == lightning_vi.__version__
    commit.cache_clear()
