"""What the README shows, claims and links to. Its commands and its Python are run by `test_docs.py`."""

import csv
import math
import re
from pathlib import Path

import yaml

from lightning_vi import __version__, named_configs

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_commands_stand_alone_in_the_first_block_of_their_heading() -> None:
    for heading in ("Run", "Test"):
        section = README.split(f"## {heading}\n")[1]
        command = section.split("```")[1].strip()
        assert "\n" not in command
        assert command.startswith("python3 -m venv .venv && ")


def test_links_lead_to_files_of_the_repository() -> None:
    links = re.findall(r"\]\(([^)#]+)", README)
    assert len(links) > 25
    for link in links:
        assert (ROOT / link).is_file(), link


def test_each_model_has_a_picture_by_a_shipped_configuration() -> None:
    titles, _, pictures, commands, _ = README.split("\n\n")[2].split("\n")
    assert titles.count("|") == pictures.count("![") + 1 == 4
    configurations = re.findall(r"`lightning-vi fit --config (\S+)`", commands)
    assert len(configurations) == 3
    assert set(configurations) <= set(named_configs.packaged())


def figures_of_peers() -> dict[str, list[str]]:
    """Implementation to the figures that the README's table states of it."""
    table = README.split("| implementation |")[1].split("\n\n")[0].split("\n")[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    figure = re.compile(r"(?<![\w-])\d+\.\d+(?:e[+-]\d+)?(?![\w-])")
    return {name: figure.findall(" ".join(cells)) for name, *cells in rows}


def test_figures_of_peers_are_the_measured_ones() -> None:
    with (ROOT / "results" / "peers.csv").open(newline="") as file:
        measured = [(row["name"], float(row["ratio"])) for row in csv.DictReader(file)]
    stated = figures_of_peers()
    assert stated.pop("lightning-vi") == []  # the unit
    assert len(stated) == 6
    for peer, figures in stated.items():
        ratios = [ratio for name, ratio in measured if f", {peer}" in name]
        for figure in figures:
            assert any(math.isclose(float(figure), ratio, rel_tol=2.5e-3) for ratio in ratios), (peer, figure)


def test_citation() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["license"] == "Apache-2.0"


def test_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == __version__


def test_pre_commit_runs_the_linters_of_ci() -> None:
    settings = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (repository,) = settings["repos"]
    assert repository["repo"] == "local"  # nothing is fetched
    entries = [hook["entry"] for hook in repository["hooks"]]
    linters = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith(".venv/bin/")]
    assert entries == linters
