from pathlib import Path

import torch

from lightning_vi.__main__ import main
from tests.elsewhere import elsewhere as elsewhere

FIT = [
    "fit",
    "--config=bbb_digits.yaml",
    "--trainer.accelerator=cpu",
    "--trainer.callbacks=[LastCheckpoint]",
    "--trainer.log_every_n_steps=2",
    "--model.draws=2",
    "--model.val_draws=1",
    "--model.lr_scheduler=HarmonicLR",
    "--model.net.hidden=[8]",
]


def metrics(name: str, version: int = 0) -> bytes:
    return Path(f"runs/{name}/version_{version}/metrics.csv").read_bytes()


def test_a_resumed_run_has_each_line_once() -> None:
    assert main([*FIT, "--trainer.max_epochs=2", "--name=alone"]) == 0
    assert main([*FIT, "--trainer.max_epochs=1", "--name=resumed", "--test_checkpoint=none"]) == 0
    file = Path("runs/resumed/version_0/metrics.csv")
    # What a killed run leaves behind its last checkpoint.
    file.write_bytes(file.read_bytes() + b"1,12,,7.0\r\n1,1")
    assert main([*FIT, "--trainer.max_epochs=2", "--name=resumed", "--ckpt_path=last"]) == 0
    assert metrics("resumed") == metrics("alone")
    # A test that was lost comes back alike.
    assert main([*FIT, "--trainer.max_epochs=2", "--name=resumed", "--ckpt_path=last"]) == 0
    assert metrics("resumed") == metrics("alone")


def test_a_run_that_starts_from_anothers_checkpoint_has_its_lines_too() -> None:
    assert main([*FIT, "--trainer.max_epochs=1", "--name=first", "--test_checkpoint=none"]) == 0
    path = Path("runs/first/version_0/checkpoints/last.ckpt")
    kept = torch.load(path, weights_only=True)["metrics_file"].encode()
    assert kept == metrics("first")
    assert main([*FIT, "--trainer.max_epochs=2", "--name=second", f"--ckpt_path={path}"]) == 0
    _, *lines = kept.splitlines()
    values = [line.split(b",")[:2] for line in metrics("second").splitlines()[1 : len(lines) + 1]]
    assert values == [line.split(b",")[:2] for line in lines]
    assert metrics("first") == kept
