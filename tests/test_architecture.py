"""The floors of the house: each module imports only what stands below it, and mathematics knows no Trainer."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = [
    {"errors", "whole_file", "evaluating", "functional", "plots", "placeholder"},
    {"noise", "priors", "posteriors", "likelihoods", "weighting", "schedules", "networks", "annealing", "corruptions"}
    | {"adversarial", "noise_priors"}
    | {"mnist_features"},
    {"reparameterisation", "bayesian", "encoder_decoder", "deterministic_model", "latent_model", "generator_model"}
    | {"random_parameters", "prior_groups"},
    {"estimators", "objectives", "predictive", "pruning", "bounds", "marginal", "codes"}
    | {"mc_dropout", "chunked_outputs"}
    | {"latent_space", "latent_paths", "latent_pictures"},
    {"metrics", "latent_scores", "image_report", "feature_scores", "image_scores", "modules"}
    | {"confidences", "interval_coverage", "detection"},
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
FILES = sorted(
    path
    for path in (ROOT / "lightning_vi").rglob("*.py")
    if path.relative_to(ROOT).parts[1].removesuffix(".py") in FLOOR
)


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room(path: Path) -> str:
    return path.relative_to(ROOT / "lightning_vi").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    for name in imports(path):
        if name.startswith("lightning_vi."):
            other = name.split(".")[1]
            if other != room(path):
                assert FLOOR[other] <= FLOOR[room(path)], f"{path.name} imports {name} from a higher floor"
        if name.split(".")[0] in {"lightning", "torchmetrics", "jsonargparse"}:
            assert FLOOR[room(path)] >= 4, f"{path.name} imports {name} below floor 4"


def test_datamodules_stand_apart() -> None:
    for path in (ROOT / "datamodules").glob("*.py"):
        ours = {name.split(".")[1] for name in imports(path) if name.startswith("lightning_vi.")}
        assert ours <= {"errors", "datamodules"}, path.name


def test_callbacks_stand_above_mathematics_and_measures_and_know_no_module() -> None:
    for path in (ROOT / "callbacks").glob("*.py"):
        ours = {name.split(".")[1] for name in imports(path) if name.startswith("lightning_vi.")} - {"callbacks"}
        assert all(FLOOR[name] <= 3 or name == "image_scores" for name in ours), path.name


def test_every_package_is_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "lightning_vi").rglob("__init__.py")}
    mapped = {Path("lightning_vi") / name for name in ("callbacks", "datamodules", "configs")}
    assert set(settings["packages"]) == {".".join(folder.parts) for folder in folders | mapped}
    for link in mapped:
        assert settings["package-dir"][".".join(link.parts)] == link.name
        assert (ROOT / link).resolve() == ROOT / link.name
