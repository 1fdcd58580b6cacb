import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger

from lightning_vi import checkpoints
from lightning_vi.errors import UserError


def make_trainer(logger: Logger | bool, max_epochs: int = 1, max_steps: int = -1) -> Trainer:
    return Trainer(
        accelerator="cpu", logger=logger, enable_checkpointing=False, max_epochs=max_epochs, max_steps=max_steps
    )


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return make_trainer(CSVLogger(tmp_path, name="name"))


def touch(path: Path, time: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": {}}, path)
    os.utime(path, (time, time))
    return path


def test_last_is_the_newest_of_all_runs(trainer: Trainer, tmp_path: Path) -> None:
    touch(tmp_path / "name" / "version_0" / "checkpoints" / "last.ckpt", 10.0)
    newest = touch(tmp_path / "name" / "version_1" / "checkpoints" / "last.ckpt", 30.0)
    touch(tmp_path / "name" / "version_2" / "checkpoints" / "best.ckpt", 40.0)
    touch(tmp_path / "name" / "version_10" / "checkpoints" / "last.ckpt", 20.0)
    touch(tmp_path / "other" / "version_0" / "checkpoints" / "last.ckpt", 50.0)
    assert checkpoints.find(trainer, "last") == newest
    assert checkpoints.find(trainer, "best").name == "best.ckpt"


def test_a_path_is_itself(trainer: Trainer, tmp_path: Path) -> None:
    path = touch(tmp_path / "folder" / "some.ckpt", 1.0)
    assert checkpoints.find(trainer, str(path)) == path
    with pytest.raises(UserError, match=r"no such file\. Did you mean '.*some\.ckpt'\?"):
        checkpoints.find(trainer, str(path.with_name("sone.ckpt")))


def test_never_starts_over(trainer: Trainer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"there is no {tmp_path}/name/\*/checkpoints/last\.ckpt\. Run fit first"):
        checkpoints.find(trainer, "last")
    with pytest.raises(UserError, match="without a logger"):
        checkpoints.find(make_trainer(False), "last")


def test_reads_data_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {"a": torch.ones(2)}}, path)
    assert torch.equal(checkpoints.read(path)["state_dict"]["a"], torch.ones(2))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The checkpoints of a run: an old `best`, `middle` and the newest, `last`."""
    folder = tmp_path / "name" / "version_0" / "checkpoints"
    for time, name in enumerate(("best", "middle", "last")):
        path = folder / f"{name}.ckpt"
        checkpoints.write({"state_dict": {"a": torch.full((50,), float(time))}}, path)
        os.utime(path, (time, time))
    return folder


def damaged(path: Path) -> Path:
    """The file, with one bit of its data changed and its time as it was."""
    times, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, (times.st_atime, times.st_mtime))
    return path


def test_a_damaged_last_is_replaced_by_the_newest_good_one(
    trainer: Trainer, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checkpoints.find(trainer, "last") == run / "last.ckpt"
    capsys.readouterr()
    last = damaged(run / "last.ckpt")
    assert checkpoints.find(trainer, "last") == run / "middle.ckpt"
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"Note: {last} is not a checkpoint, or is damaged: its checksum is not that of its content. "
        f"Taking the newest good one beside it: {run / 'middle.ckpt'}."
    )
    damaged(run / "middle.ckpt")
    assert checkpoints.find(trainer, "last") == run / "best.ckpt"
    damaged(run / "best.ckpt")
    with pytest.raises(UserError, match=r"last\.ckpt is not a checkpoint, or is damaged: its checksum"):
        checkpoints.find(trainer, "last")


def test_any_other_damaged_file_is_refused_and_the_newest_good_one_named(trainer: Trainer, run: Path) -> None:
    damaged(run / "best.ckpt")
    for name in ("best", str(run / "best.ckpt")):
        path = checkpoints.find(trainer, name)
        with pytest.raises(UserError, match=r"its content\. The newest good one beside it: .*/last\.ckpt\.$"):
            checkpoints.read(path)


class Harmful:
    """Would run code where a checkpoint is unpickled."""

    def __reduce__(self) -> Any:
        return print, ("harm",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        pickle.dumps({"state_dict": {}})[:9],
        Harmful(),
        {"epoch": 3},
        {"state_dict": {}, "hyper_parameters": 3},
    ],
)
def test_refuses_what_is_no_checkpoint(content: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError, match=r"a\.ckpt is not a checkpoint"):
        checkpoints.read(path)
    assert capsys.readouterr().out == ""


def test_refuses_hyperparameters_without_an_end(tmp_path: Path) -> None:
    endless: dict[str, Any] = {"a": 3}
    endless["self"] = [endless]
    torch.save({"state_dict": {}, "hyper_parameters": endless}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=r"a\.ckpt is not a checkpoint"):
        checkpoints.read(tmp_path / "a.ckpt")


def test_a_run_is_finished_when_it_has_had_all_its_epochs_or_steps(tmp_path: Path) -> None:
    checkpoint = {"loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 3}}}}, "global_step": 30}

    def is_finished(**settings: int) -> bool:
        return checkpoints.is_finished(checkpoint, tmp_path, make_trainer(False, **settings))

    assert not is_finished(max_epochs=4)
    assert not is_finished(max_epochs=-1)
    assert is_finished(max_epochs=3)
    assert is_finished(max_epochs=4, max_steps=30)
    with pytest.raises(UserError, match=r"trained for 3 epochs already; --trainer.max_epochs \(=2\)"):
        is_finished(max_epochs=2)
    with pytest.raises(UserError, match=r"trained for 30 steps already; --trainer.max_steps \(=29\)"):
        is_finished(max_epochs=4, max_steps=29)
    with pytest.raises(UserError, match="weights alone"):
        checkpoints.is_finished({"state_dict": {}}, tmp_path, make_trainer(False))


def test_weights_that_do_not_fit_are_told(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"a\.ckpt does not fit .* size mismatch for weight"),
        checkpoints.fitting(tmp_path / "a.ckpt"),
    ):
        torch.nn.Linear(2, 3).load_state_dict(torch.nn.Linear(3, 2).state_dict())
    with pytest.raises(RuntimeError, match="something else"), checkpoints.fitting(tmp_path):
        raise RuntimeError("something else")


class Module(LightningModule):
    def __init__(self, draws: int, prior: dict[str, Any], shape: tuple[int, ...], new: int = 0) -> None:
        super().__init__()
        self.save_hyperparameters()


def test_differences_are_named_as_on_the_command_line() -> None:
    def prior(name: str, sigma: float) -> dict[str, Any]:
        return {"class_path": name, "init_args": {"sigma": sigma}}

    saved = {"draws": 10, "prior": prior("a.Gaussian", 1.0), "shape": [1, 8], "optimizer": 3}
    module = Module(100, prior("a.Mixture", 2.0), (1, 8))
    assert checkpoints.differences({"hyper_parameters": saved}, module) == [
        "draws 10 (here 100)",
        "prior a.Gaussian (here a.Mixture)",
        "prior.sigma 1.0 (here 2.0)",
    ]
    assert checkpoints.differences({"hyper_parameters": saved}, module, ignored=("draws", "prior")) == []
