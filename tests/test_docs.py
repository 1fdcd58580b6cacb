"""A reader's way through each page: its files are written, its commands and its Python are run, in their order.

Commands are cut short by options behind their own, which are all parsed: one epoch of two minibatches of the bundled
digits. Of a table's trainings one is run. Pictures are not painted: `test_configs.py` does so for each configuration.
"""

import os
import re
import shlex
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import wandb
from matplotlib.figure import Figure
from matplotlib.image import imsave

from lightning_vi import (
    adversarial,
    annealing,
    bounds,
    callbacks,
    corruptions,
    datamodules,
    estimators,
    likelihoods,
    modules,
    named_configs,
    networks,
    noise_priors,
    posteriors,
    priors,
    schedules,
    weighting,
)
from lightning_vi.__main__ import main
from lightning_vi.table import command as table
from lightning_vi.table import processes, ray_workers
from lightning_vi.table.runs import Run
from lightning_vi.table.workers import State
from tests.elsewhere import elsewhere as elsewhere
from tests.pages import PAGES, ROOT, Part, parts
from tests.test_configs import SHORT, small_gan

# What cannot be run here, by how it begins, and why.
NOT_RUN = {
    "python3 -m venv": "installs",
    "pip install": "installs",
    ".audit/bin/pip": "installs",
    ".audit/bin/pip-audit": "asks a service for known vulnerabilities",
    "source": "a shell's own",
    "ray start": "needs a cluster; tests/table/test_ray_workers.py starts one",
    "torchrun": "needs two nodes; tests/test_devices_command_line.py has them on one machine",
    "python -m benchmarks": "measures for minutes to hours",
    "bash benchmarks/gpu.sh": "measures for minutes; tests/test_gpu_script.py rehearses it",
    "bash .ci/run": "runs this",
    "python -m pytest": "is this",
    "ruff": "the linters, see .ci/run",
    "mypy": "the linters, see .ci/run",
    "mkdocs build": "see tests/test_site.py",
    "pre-commit install": "changes the repository",
    "echo": "a shell's own",
    "wandb": "asks its service",
    "lightning-vi demo": "serves until Ctrl-C; tests/demo has a browser",
}
FEWER = {
    "BayesByBackprop": ["--model.draws=2", "--model.val_draws=2"],
    "DeepEnsemble": ["--model.mean_field.draws=2", "--model.mean_field.val_draws=2"],
    "VAE": ["--model.draws=2", "--model.val_draws=2"],
    "prune": ["--fractions=[0,0.5]", "--draws=2"],
}
ON_MNIST = re.compile(r"^data:\s*\{?\s*(class_path: )?\w*MNIST", re.MULTILINE)
CONFIGURATIONS = (ROOT / "docs" / "configurations.md").read_text()
WITH_PARTS = [page for page in PAGES if any(part.kind != "other" for part in parts(page))]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def simple_commands(text: str) -> Iterator[list[str]]:
    """The words of each command of a block, without comments, variables and the environment's folder."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars="&")
        words.whitespace_split = True
        command: list[str] = []
        for word in [*words, "&&"]:
            if word not in ("&", "&&"):
                command.append(word)
            elif command:
                while re.fullmatch(r"[A-Z_]+=.*", command[0]):
                    del command[0]
                yield [command[0].removeprefix(".venv/bin/"), *command[1:]]
                command = []


def reason_not_to_run(command: Sequence[str]) -> str | None:
    line = " ".join(command)
    return next((begin for begin in NOT_RUN if line == begin or line.startswith((f"{begin} ", f"{begin}."))), None)


def shortened(arguments: list[str]) -> list[str]:
    """The same command, of one epoch of two minibatches."""
    configs = re.findall(r"--config[ =](\S+)", " ".join(arguments))
    if arguments[0] not in ("fit", "validate", "test", "predict", "prune") or not configs:
        return arguments
    content = "".join(named_configs.find(config).read_text() for config in configs)
    modules = re.findall(r"class_path: (BayesByBackprop|DeepEnsemble|VAE|GAN|Autoencoder|PointEstimate)\b", content)
    has_draws = modules and (modules[-1] != "DeepEnsemble" or "mean_field" in content)
    fewer = (FEWER.get(modules[-1], []) if has_draws else []) + FEWER.get(arguments[0], [])
    here = ["--trainer.devices=1", "--trainer.strategy=auto", *(["--data=Digits"] if ON_MNIST.search(content) else [])]
    return [*arguments, *SHORT, *here, *small_gan(configs[0]), *fewer]


def exit_code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:  # of what only prints: --help, --print_config
        return int(end.code or 0)


def first_run_alone(runs: Sequence[Run], *_: Any) -> State:
    """In place of a table's trainings."""
    if not runs[0].table.startswith("table1"):
        assert main(shortened([*runs[0].prepare()])) == 0
    return State(deque())


def save_nothing(figure: Figure, path: Path, **_: Any) -> None:
    """In place of painting a figure."""
    imsave(path, [[0.0]])


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Does what a page says in the current folder."""
    monkeypatch.syspath_prepend("")
    monkeypatch.setattr(Figure, "savefig", save_nothing)
    monkeypatch.setattr(table, "work", first_run_alone)
    monkeypatch.setattr(ray_workers, "cluster", processes.local)
    for variable, value in {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "HOME": os.getcwd()}.items():
        monkeypatch.setenv(variable, value)
    namespace: dict[str, Any] = {}

    def run(command: list[str], expected: int) -> None:
        if reason_not_to_run(command) is None:
            assert command[0] == "lightning-vi", f"neither run nor in NOT_RUN: {command}"
            output = command[command.index(">") + 1] if ">" in command else os.devnull
            arguments = command[1 : command.index(">")] if ">" in command else command[1:]
            with open(os.path.expanduser(output), "w") as file, redirect_stdout(file):
                assert exit_code(shortened(arguments)) == expected, command
            if any(word.endswith("wandb.yaml") for word in command):  # a reader's next command is another process
                wandb.finish()
                wandb.teardown()

    def step(page: Path, part: Part) -> None:
        if part.kind == "file":
            Path(part.file).write_text(part.text)
        elif part.kind == "python":
            exec(compile(part.text, f"{name(page)}, block of line {part.line}", "exec"), namespace)
        elif part.kind == "command":
            for command in simple_commands(part.text):
                run(command, expected=0)
        elif part.kind == "session":
            for command in simple_commands(part.text.partition("\n")[0].removeprefix("$ ")):
                run(command, expected=2)

    def follow(page: Path) -> None:
        for part in parts(page):
            step(page, part)

    return follow


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")  # docs/vae.md tests without callbacks
@pytest.mark.parametrize("page", WITH_PARTS, ids=name)
def test_what_a_page_says_works(page: Path, follow: Callable[[Path], None]) -> None:
    follow(page)


def test_quotations_stand_in_the_source() -> None:
    quotations = [(page, part) for page in PAGES for part in parts(page) if part.kind == "quotation"]
    assert len(quotations) > 20
    for page, part in quotations:
        source = [line.strip() for line in (ROOT / part.file).read_text().splitlines()]
        position = 0
        for passage in re.split(r"^\.\.\.\n", part.text, flags=re.MULTILINE):
            lines = [line.strip() for line in passage.splitlines()]
            places = [i for i in range(position, len(source)) if source[i : i + len(lines)] == lines]
            assert places, f"{name(page)}, line {part.line}: not in {part.file}:\n{passage}"
            position = places[0] + len(lines)


def test_files_of_a_page_are_used_there() -> None:
    for page in PAGES:
        content = page.read_text()
        for part in parts(page):
            if part.kind == "file":
                stem, _, suffix = part.file.rpartition(".")
                used = rf"\b{re.escape(stem)}\b" if suffix == "py" else rf"--config {re.escape(part.file)}"
                assert len(re.findall(used, content)) > (suffix == "py"), f"{name(page)}: {part.file}"


def test_configurations_have_names() -> None:
    """Without one they are not written, and nothing tries them."""
    for page in PAGES:
        unnamed = [part for part in parts(page) if part.kind == "other" and re.match(r"[\w.]+:", part.text)]
        assert not unnamed, f"{name(page)}: {unnamed}"


def test_names_of_the_classes_exist() -> None:
    packages = [adversarial, annealing, bounds, callbacks, corruptions, datamodules, estimators, likelihoods, modules]
    packages += [networks, noise_priors, posteriors, priors]
    known = {name for package in [*packages, schedules, weighting] for name in vars(package)}
    table = CONFIGURATIONS.split("| there is | names |")[1].split("\n\n")[0]
    names = set(re.findall(r"`([A-Z]\w+)`", table))
    assert len(names) > 30
    assert names <= known


def test_all_packaged_configurations_are_named() -> None:
    rows = {name for name in named_configs.packaged() if name.startswith("table1/")}
    assert {name for name in named_configs.packaged() if f"`{name}`" not in CONFIGURATIONS} <= rows


def test_what_is_not_run_is_there() -> None:
    commands = [
        command
        for page in PAGES
        for part in parts(page)
        if part.kind == "command"
        for command in simple_commands(part.text)
    ]
    assert {reason_not_to_run(command) for command in commands} == {*NOT_RUN, None}
