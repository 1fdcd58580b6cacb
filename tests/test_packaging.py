"""The sdist and the wheel, as they would be published: built, installed beside nothing of the sources, and used."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINKS = ("callbacks", "configs", "datamodules")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "LIGHTNING_VI_DATA")}
SHORT = ["--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--model.draws=2", "--model.val_draws=2"]


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git knows of the working tree, since a build leaves files in the one that it is started in."""
    if not (ROOT / ".git").exists():
        pytest.skip("what belongs to the sources is asked of git")
    folder = tmp_path_factory.mktemp("sources")
    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard", folder=ROOT).splitlines()
    for name in names:
        here, there = ROOT / name, folder / name
        if name.startswith("results/") or not (here.exists() or here.is_symlink()):
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        if here.is_symlink():
            there.symlink_to(os.readlink(here))
        else:
            there.write_bytes(here.read_bytes())
    return folder


@pytest.fixture(scope="module")
def built(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that is made of it, without a network."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, sources, folder=folder)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; what it depends on is that of this environment."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder)
    python = folder / "bin" / "python"
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "-q",
        "--no-deps",
        "--no-index",
    ]
    run(*pip, built[1], folder=folder)
    (packages,) = folder.glob("lib/*/site-packages")
    # Of a folder that is named so Python reads no further such files: the sources' own installation stays unseen.
    (packages / "others.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")) + "\n")
    return folder


def test_the_wheel_is_one_package(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"lightning_vi"}
    assert {"lightning_vi/py.typed", "lightning_vi/configs/table1/sgd_400.yaml", "lightning_vi/callbacks/units.py"} <= {
        *names
    }
    assert "lightning_vi/mnist_features/weights.pt" in names
    assert not [name for name in names if name.endswith((".pyc", ".ckpt"))]


def test_the_sdist_has_tests_and_configurations_and_each_file_once(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if not member.isdir()}
    assert {"tests/test_packaging.py", "tests/conftest.py", "configs/table1/sgd_400.yaml", "docs/vae.md"} <= names
    assert {"constraints.txt", "LICENSE", "README.md", "callbacks/units.py", "datamodules/mnist.py"} <= names
    assert not [name for name in names for link in LINKS if name.startswith(f"lightning_vi/{link}/")]


LOAD = """
import lightning_vi, sys
from lightning_vi.loading import load
from lightning_vi.modules import BayesByBackprop
model = load("runs/bbb_digits/version_0/checkpoints/last.ckpt", BayesByBackprop)
print(lightning_vi.__file__, model.weights)
"""


def test_trains_and_loads_where_there_are_no_sources(installed: Path, tmp_path: Path) -> None:
    out = run(installed / "bin" / "lightning-vi", "fit", "--config", "bbb_digits.yaml", *SHORT, folder=tmp_path)
    assert "test error" in out
    file, weights = run(installed / "bin" / "python", "-c", LOAD, folder=tmp_path).split()
    assert Path(file).is_relative_to(installed)
    assert int(weights) == 65 * 100 + 101 * 100 + 101 * 10


USER = """
from lightning_vi.datamodules.scaling import Divide
from lightning_vi.nearest import nearest

best: str | None = nearest("abd", ["abc"])
scaling: Divide = Divide(126.0)
"""


def test_types_are_checked_against_the_wheel(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "wrong.py").write_text('from lightning_vi.nearest import nearest\n\nbest: int = nearest(3, ["abc"])\n')
    # Types of others, of PyTorch above all, would take a minute and are not what is asked.
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n[mypy-torch.*,lightning.*]\nfollow_imports = skip\n")
    mypy: list[str | Path] = [sys.executable, "-m", "mypy", "--python-executable", installed / "bin" / "python"]
    run(*mypy, "user.py", folder=tmp_path)
    wrong = subprocess.run(
        [*mypy, "wrong.py"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert wrong.stdout.count("error:") == 2, wrong.stdout
    assert "[arg-type]" in wrong.stdout
    assert "[assignment]" in wrong.stdout
