"""Runs in which a callback, the data or another process of the job fails: they end, and can go on."""

from pathlib import Path

import pytest

from benchmarks.faults.processes import LAST, SMALL, kill
from lightning_vi import checkpoints
from lightning_vi.__main__ import main
from tests.elsewhere import elsewhere as elsewhere


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("--trainer.callbacks+=tests.failing.FailingCallback", KeyError),
        ("--data.transform=tests.failing.FailingTransform", OSError),
    ],
)
def test_what_raises_is_told_with_the_checkpoint_of_the_epoch_before(option: str, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        main([*SMALL, option])
    assert raised.value.__notes__ == [f"lightning-vi: the same command goes on from here with --ckpt_path {LAST}"]
    assert checkpoints.epochs(checkpoints.read(LAST)) == 1
    assert main([*SMALL, f"--ckpt_path={LAST}", "--trainer.max_epochs=2"]) == 0


def test_without_a_checkpoint_there_is_none_to_name() -> None:
    with pytest.raises(KeyError) as raised:
        main([*SMALL, "--trainer.callbacks+=tests.failing.FailingCallback", "--trainer.enable_checkpointing=false"])
    assert raised.value.__notes__ == ["lightning-vi: no checkpoint has been written yet."]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux for the processes of a session")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_job_and_leaves_a_checkpoint(rank: int, tmp_path: Path) -> None:
    kill(rank, 0.0, tmp_path)
    epochs = checkpoints.epochs(checkpoints.read(LAST))
    assert main([*SMALL, f"--ckpt_path={LAST}", f"--trainer.max_epochs={epochs + 1}"]) == 0
