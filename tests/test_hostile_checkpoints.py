"""Checkpoints that would run code, through every command that reads one."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_vi.__main__ import main
from lightning_vi.errors import UserError
from lightning_vi.loading import load
from lightning_vi.modules import VAE, BayesByBackprop

CONFIG = ["--config=bbb_digits.yaml", "--trainer.accelerator=cpu", "--trainer.max_epochs=1"]
SHORT = [*CONFIG, "--trainer.limit_train_batches=1", "--trainer.limit_val_batches=0", "--test_checkpoint=none"]
COMMANDS = (
    ["test", *CONFIG, "--ckpt_path=CKPT"],
    ["validate", *CONFIG, "--ckpt_path=CKPT"],
    ["predict", *CONFIG, "--ckpt_path=CKPT"],
    ["prune", *CONFIG, "--ckpt_path=CKPT"],
    ["fit", *CONFIG, "--ckpt_path=CKPT"],
    ["fit", *CONFIG, "--weights=CKPT"],
    ["sample", "CKPT"],
)


class Call:
    """A pickle that calls `os.system` when it is read."""

    def __reduce__(self) -> Any:
        return os.system, ("touch called",)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a run."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PL_GLOBAL_SEED", "0")
        assert main(["fit", *SHORT]) == 0
    return folder / "runs/bbb_digits/version_0/checkpoints/last.ckpt"


@pytest.fixture
def checkpoint(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same in a folder of this test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    path = tmp_path / "a.ckpt"
    path.write_bytes(run.read_bytes())
    return path


def test_the_pickle_is_a_real_one(checkpoint: Path) -> None:
    torch.save({**torch.load(checkpoint, weights_only=True), "more": Call()}, checkpoint)
    torch.load(checkpoint, weights_only=False)
    assert Path("called").exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_runs_what_a_checkpoint_holds(
    command: list[str], checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({**torch.load(checkpoint, weights_only=True), "more": Call()}, checkpoint)
    assert main([each.replace("CKPT", str(checkpoint)) for each in command]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("a.ckpt is not a checkpoint that can be read as data; nothing in it has been run.")
    assert not Path("called").exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_a_changed_bit(
    command: list[str], checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.write_bytes(content)
    assert main([each.replace("CKPT", str(checkpoint)) for each in command]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("a.ckpt is not a checkpoint, or is damaged: its checksum is not that of its content.")


def test_from_python(checkpoint: Path) -> None:
    model = load(checkpoint, BayesByBackprop)
    assert not model.training
    with pytest.raises(UserError, match=r"a\.ckpt holds a BayesByBackprop, not a VAE"):
        load(checkpoint, VAE)
    saved = torch.load(checkpoint, weights_only=True)
    torch.save({**saved, "more": Call()}, checkpoint)
    with pytest.raises(UserError, match="nothing in it has been run"):
        load(checkpoint, BayesByBackprop)
    net = {"class_path": "os.system", "init_args": {"command": "touch called"}}
    torch.save({**saved, "hyper_parameters": {**saved["hyper_parameters"], "net": net}}, checkpoint)
    with pytest.raises(UserError, match=r"it names 'os\.system', which is no class"):
        load(str(checkpoint), BayesByBackprop)
    assert not Path("called").exists()


@pytest.mark.parametrize("command", [COMMANDS[0], COMMANDS[4], COMMANDS[5], COMMANDS[6]], ids=" ".join)
@pytest.mark.parametrize(
    "content", [{"state_dict": {}}, {"state_dict": 3}, {"state_dict": {}, "loops": 3}, {3: 4}, [1], torch.zeros(3)]
)
def test_files_of_other_programs_are_told(
    content: object, command: list[str], checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(content, checkpoint)
    assert main([each.replace("CKPT", str(checkpoint)) for each in command]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("lightning-vi: ")
    assert "checkpoint" in line or "a.ckpt" in line
