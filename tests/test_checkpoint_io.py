from pathlib import Path
from pickle import UnpicklingError
from typing import BinaryIO

import pytest
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from lightning_vi.__main__ import main
from lightning_vi.checkpoint_io import VERSION, WholeFileCheckpointIO
from lightning_vi.checkpoint_version import FORMAT, KEY
from lightning_vi.errors import UserError
from lightning_vi.session import Session


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "a.ckpt"
    io = WholeFileCheckpointIO()
    io.save_checkpoint({"epoch": 1}, path)

    def cut_short(checkpoint: object, file: BinaryIO) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", cut_short)
        with pytest.raises(KeyboardInterrupt):
            io.save_checkpoint({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1, KEY: FORMAT}
    io.save_checkpoint({"epoch": 3}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 3, KEY: FORMAT}
    assert [each.name for each in path.parent.iterdir()] == ["a.ckpt"]


def test_what_lightning_loads_is_whole_data_of_a_trainer(tmp_path: Path) -> None:
    path, io = tmp_path / "a.ckpt", WholeFileCheckpointIO()
    io.save_checkpoint({VERSION: "2", "state_dict": {"a": torch.ones(90)}}, path)
    assert torch.equal(io.load_checkpoint(path)["state_dict"]["a"], torch.ones(90))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.ckpt .* its checksum is not that of its content"):
        io.load_checkpoint(path)
    io.save_checkpoint({VERSION: "2", "harm": print}, path)
    with pytest.raises(UnpicklingError):
        io.load_checkpoint(path, weights_only=False)
    io.save_checkpoint({"state_dict": {}}, path)
    with pytest.raises(UserError, match=r"a\.ckpt has no 'pytorch-lightning_version'"):
        io.load_checkpoint(path)


@pytest.mark.parametrize("own", [False, True])
def test_the_command_line_saves_so_unless_told_otherwise(
    own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    used: list[object] = []

    def fit(self: Session, *args: object) -> None:
        used.append(self.trainer.strategy.checkpoint_io)

    monkeypatch.setattr(Session, "fit", fit)
    plugins = ["--trainer.plugins=lightning.pytorch.plugins.io.TorchCheckpointIO"] if own else []
    assert main(["fit", "--config=bbb_digits.yaml", "--trainer.accelerator=cpu", *plugins]) == 0
    assert [type(each) for each in used] == [TorchCheckpointIO if own else WholeFileCheckpointIO]
