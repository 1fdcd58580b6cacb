import subprocess
import sys
from pathlib import Path

import pytest

from lightning_vi import __version__, cli, named_configs
from lightning_vi.__main__ import COMMANDS, main
from lightning_vi.errors import UserError


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_overview_names_commands_and_configurations(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 0
    out = capsys.readouterr().out
    for name in (*COMMANDS, *(name for name in named_configs.packaged() if "/" not in name), "table1/*.yaml"):
        assert f"  {name} " in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lightning-vi {__version__}\n"


def test_help_imports_neither_torch_nor_lightning() -> None:
    code = "import sys; from lightning_vi.__main__ import main; main(['--help']); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_commands_are_those_of_the_command_line() -> None:
    assert list(COMMANDS) == [*cli.CommandLine.subcommands(), "table", "sample", "demo"]


ALL = "fit, validate, test, predict, prune, table, sample"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["fti"], "there is no command 'fti'. Did you mean 'fit'?"),
        (["xyz"], f"there is no command 'xyz'. Commands: {ALL}."),
        (
            ["--config", "a.yaml", "fit"],
            f"--config: the command comes first: {ALL}.",
        ),
    ],
)
def test_a_wrong_command_is_told_in_a_line(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"lightning-vi: {message}\n"


@pytest.mark.parametrize("by", ["option", "environment"])
def test_traceback_on_request(by: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTNING_VI_TRACEBACK", "1" if by == "environment" else "0")
    assert main(["fti", *(["--traceback"] if by == "option" else [])]) == 2
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.endswith("lightning-vi: there is no command 'fti'. Did you mean 'fit'?\n")


def test_user_errors_from_anywhere_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(args: list[str]) -> None:
        raise UserError(f"refused {args}")

    monkeypatch.setattr(cli, "run", refuse)
    assert main(["fit", "a"]) == 2
    assert capsys.readouterr().err == "lightning-vi: refused ['fit', 'a']\n"


def test_bugs_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(args: list[str]) -> None:
        raise KeyError(args[0])

    monkeypatch.setattr(cli, "run", fail)
    with pytest.raises(KeyError, match="fit"):
        main(["fit"])


def test_as_a_module_with_an_exit_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lightning_vi", "fti"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("lightning-vi: there is no command 'fti'.")
