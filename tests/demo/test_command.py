import os
import socket
from pathlib import Path

import pytest

from lightning_vi.__main__ import main
from lightning_vi.demo import command


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The line that is told."""
    capsys.readouterr()
    assert main(["demo", *args]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("lightning-vi: ")


def test_mistakes_in_the_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys) == "demo needs checkpoints, e.g. runs/NAME/version_0/checkpoints/last.ckpt."
    assert refused(capsys, "a.ckpt", "--draws=1") == "--draws (=1) must be at least 2."
    assert refused(capsys, "a.ckpt", "--port=65536") == "--port (=65536) must lie in [0, 65535]."
    assert "expected int, got 'x'" in refused(capsys, "a.ckpt", "--port=x")
    assert refused(capsys, "a.ckpt", "--prot=1") == "there is no option '--prot'. Did you mean '--port'?"


def test_without_gradio_the_command_that_installs_it_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert refused(capsys, "a.ckpt") == "demo needs Gradio: pip install 'lightning-vi[demo]'."


def test_checkpoints_that_cannot_be_shown(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: name)  # with Gradio or without
    monkeypatch.chdir(tmp_path)
    path = runs["bbb"]
    assert refused(capsys, f"{path}x") == f"{path}x: no such file. Did you mean '{path}'?"
    assert refused(capsys, str(path), str(path)) == f"{path} is given twice."
    short = ["--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--trainer.callbacks=LastCheckpoint"]
    short += ["--trainer.limit_train_batches=5", "--trainer.limit_val_batches=0", "--test_checkpoint=none"]
    for config, reason in (
        ("bbb_regression", "its likelihood (=Gaussian) must be Categorical: the page shows class probabilities."),
        ("ae_digits", "Autoencoder has no latent variables to sample."),
        ("gan_1d", "inputs of shape (1,) are no images."),
    ):
        assert main(["fit", f"--config={config}.yaml", *short]) == 0
        other = tmp_path / f"runs/{config}/version_0/checkpoints/last.ckpt"
        assert refused(capsys, str(path), str(other)) == f"{other}: {reason}"


def test_a_port_that_is_taken(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gradio", reason="Gradio is not installed: pip install 'lightning-vi[demo]'")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(capsys, str(runs["gan"]), f"--port={port}")
    assert line == f"--host 127.0.0.1 --port {port}: {os.strerror(98)}. Choose another, or --port 0 for any."
