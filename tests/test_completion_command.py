"""The completion script, in a real bash."""

import shutil
import subprocess
from pathlib import Path

import pytest

from lightning_vi.__main__ import COMMANDS, main
from tests.elsewhere import elsewhere as elsewhere
from tests.printing import printed

COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p lightning-vi | sed 's/.* -F \\([^ ]*\\).*/\\1/')
"$function" lightning-vi "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("script") / "completion.bash"
    path.write_text(printed("completion", "bash"))
    return path


def completed(script: Path, *words: str) -> list[str]:
    """What bash proposes for the last word."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    command = [bash, "--norc", "-c", COMPLETE, "bash", str(script), "lightning-vi", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


def test_commands(script: Path) -> None:
    assert set(COMMANDS) <= set(completed(script, ""))
    assert completed(script, "tab") == ["table"]


def test_options(script: Path) -> None:
    found = completed(script, "fit", "--trainer.max_e")
    assert "--trainer.max_epochs" in found
    assert all(name.startswith("--trainer.max_e") for name in found)
    assert "--checkpoint_every" in completed(script, "fit", "--che")
    assert completed(script, "table", "--epochs-s") == ["--epochs-scale"]
    assert completed(script, "export", "--t") == ["--to"]


def test_options_of_classes(script: Path) -> None:
    assert "--model.prior" in completed(script, "fit", "--model.pr")


def test_configurations_by_name_and_files(script: Path) -> None:
    Path("bbb_own.yaml").touch()
    found = completed(script, "fit", "--config", "bbb_")
    assert {"bbb_digits.yaml", "bbb_mnist.yaml", "bbb_own.yaml"} <= set(found)
    assert all(name.startswith("bbb_") for name in found)


def test_values(script: Path) -> None:
    assert set(completed(script, "fit", "--test_checkpoint", "")) == {"last", "best", "none"}
    assert completed(script, "schema", "val") == ["validate"]


def test_classes(script: Path) -> None:
    assert completed(script, "fit", "--model", "BayesBy") == ["BayesByBackprop"]
    assert set(completed(script, "fit", "--model.prior", "")) == {"ByName", "FanInGaussian", "Gaussian", "ScaleMixture"}


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_scripts_of_other_shells(shell: str) -> None:
    script = printed("completion", shell)
    assert "lightning-vi" in script
    assert "--trainer.max_epochs" in script or "trainer.max_epochs" in script


def test_another_shell_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "fsh"]) == 2
    assert "lightning-vi: shell: expected 'bash'" in capsys.readouterr().err
