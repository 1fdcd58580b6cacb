"""Mistakes through the whole command line: what the user sees of them, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_vi.__main__ import main
from lightning_vi.user_errors import shorten
from tests.elsewhere import elsewhere as elsewhere

DIGITS = ["fit", "--config", "bbb_digits.yaml"]

OPTIONS = {
    # option
    "--trainer.max_epoch=3": "there is no option '--trainer.max_epoch'. Did you mean '--trainer.max_epochs'?",
    "--modle.draws=3": "there is no option '--modle.draws'. Did you mean '--model.draws'?",
    "--data.batch_sise=3": "data: Digits has no option 'batch_sise'. Did you mean 'batch_size'?",
    "--model.net.hiden=[3]": "model.net: MLP has no option 'hiden'. Did you mean 'hidden'?",
    "--model.optimizer.betes=3": "model.optimizer: Adam has no option 'betes'. Did you mean 'betas'?",
    "extra": "there is no argument 'extra'.",
    "bbb_mnist.yaml": "there is no argument 'bbb_mnist.yaml'. Did you mean --config bbb_mnist.yaml?",
    # type
    "--trainer.max_epochs=three": "trainer.max_epochs: expected int or null, got 'three'.",
    "--model.draws=many": "model.draws: expected int, got 'many'.",
    "--model.net.hidden=10": "model.net.hidden: expected a list, got '10'.",
    "--model.optimizer.lr=fast": "model.optimizer.lr: expected float, got 'fast'.",
    "--model.lr_scheduler.last_epoch=x": "model.lr_scheduler.last_epoch: expected int, got 'x'.",
    "--test_checkpoint=lst": ("test_checkpoint: expected 'last', 'best', 'none', got 'lst'. Did you mean 'last'?"),
    "--seed_everything=x": "seed_everything: expected bool or int, got 'x'.",
    # class
    "--data=Mnist": "data: there is no class 'Mnist'. Did you mean 'MNIST'?",
    "--trainer.callbacks=Xyz": "trainer.callbacks: there is no class 'Xyz'.",
    "--model=lightning_vi.modules.BayesByBackpro": (
        "model: no 'BayesByBackpro' in 'lightning_vi.modules' to import. Did you mean 'BayesByBackprop'?"
    ),
    "--model=nowhere.Model": ("model: no module 'nowhere' to import."),
    "--model=torch.nn.Linear": "model: 'torch.nn.Linear' is not a LightningModule.",
    "--model.prior=ScaleMixtur": "model.prior: there is no class 'ScaleMixtur'. Did you mean 'ScaleMixture'?",
    "--model.likelihood=lightning_vi.priors.Gaussian": (
        "model.likelihood: 'lightning_vi.priors.Gaussian' is not a Likelihood."
    ),
    "--model.net=MLPP": "model.net: there is no class 'MLPP'. Did you mean 'MLP'?",
    "--model.net.activation=ReLUU": "model.net.activation: there is no class 'ReLUU'. Did you mean 'ReLU'?",
    "--model.optimizer=Adm": "model.optimizer: there is no class 'Adm'. Did you mean 'Adam'?",
    "--trainer.callbacks+=EarlyStoping": (
        "trainer.callbacks: there is no class 'EarlyStoping'. Did you mean 'EarlyStopping'?"
    ),
    "--trainer.callbacks+=EarlyStopping": "trainer.callbacks: EarlyStopping needs monitor, which has no default.",
    "--model.lr_scheduler=StepLR": "model.lr_scheduler: StepLR needs step_size, which has no default.",
    # value
    "--data.batch_size=0": "Digits: batch_size (=0) must be at least 1.",
    "--model.net.hidden=[0]": "MLP: hidden (=(0,)) must be positive.",
    "--model.draws=0": "BayesByBackprop: draws (=0) must be at least 1.",
    "--model.optimizer.lr=-1": "Adam: Invalid learning rate: -1.0",
    "--trainer.max_epochs=-5": "`max_epochs` must be a non-negative integer or -1. You passed in -5.",
    "--seed_everything=-4": "seed_everything (=-4) must lie in [0, 4294967295].",
    "--trainer.precision=bf16-true": (
        "trainer.precision (=bf16-true) keeps the weights in 16 bits, too few for the small sigma of a posterior. "
        "Choose bf16-mixed."
    ),
    "--trainer.devices=0": (
        "trainer.devices (=0) must be a number of processes from 1 on, or auto, for the accelerator cpu."
    ),
    "--trainer.devices=1000": (
        f"trainer.devices (=1000) must not exceed the machine's processor cores (={os.cpu_count()}): each device is a "
        "process."
    ),
    # file
    "--config=bbb_mnits.yaml": (
        "--config bbb_mnits.yaml: no such file and no packaged configuration has that name. "
        "Did you mean 'bbb_mnist.yaml'?"
    ),
    "--ckpt_path=lst": "--ckpt_path lst: no such file. Did you mean 'last'?",
    "--ckpt_path=last": (
        "--ckpt_path last: there is no runs/bbb_digits/*/checkpoints/last.ckpt. Run fit first, or give a path."
    ),
}

FILES = {
    "modle: 3": "there is no option 'modle'. Did you mean 'model'?",
    "trainer: {max_epoch: 3}": "there is no option 'trainer.max_epoch'. Did you mean 'trainer.max_epochs'?",
    "trainer: 5": "trainer: expected a mapping of options, got '5'.",
    "model: 3": "own.yaml: model: expected LightningModule or null, got '3'.",
    "model: {init_args: {nett: 3}}": "own.yaml: model: BayesByBackprop has no option 'nett'. Did you mean 'net'?",
    "model: {class_path: BayesByBackprop, init_arg: {draws: 3}}": (
        "own.yaml: model: BayesByBackprop has no option 'init_arg'. Did you mean 'init_args'?"
    ),
    "model: {class_path: BayesByBackprop, init_arg: {}}": (
        "own.yaml: model: only init_args and dict_kwargs can stand beside class_path."
    ),
    "data: {class_path: Digits, init_args: 3}": (
        "own.yaml: data: the arguments of Digits, its init_args, must be a mapping."
    ),
    "trainer: {callbacks: [{class_path: ModelCheckpoint, init_args: {monitr: x}}]}": (
        "own.yaml: trainer.callbacks: ModelCheckpoint has no option 'monitr'. Did you mean 'monitor'?"
    ),
    "trainer: {max_epochs: 1, max_epochs: 2}": "own.yaml: line 1: 'max_epochs' is given twice.",
    "model: {a: 1\ndata: 2": "own.yaml: line 2, column 5: not valid YAML: did not find expected ',' or '}'.",
    "a: b: c": "own.yaml: line 1, column 5: not valid YAML: mapping values are not allowed in this context.",
    "text": "own.yaml: the file must be a mapping of options.",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_wrong_option_is_told_in_a_line(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*DIGITS, "--trainer.accelerator=cpu", option]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"lightning-vi: {OPTIONS[option]}\n"
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("text", FILES)
def test_a_wrong_file_is_told_in_a_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.yaml").write_text(text)
    assert main([*DIGITS, "--config", "own.yaml"]) == 2
    assert capsys.readouterr().err == f"lightning-vi: {FILES[text]}\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["fit"], "data and model must be given. Name a configuration, e.g. --config bbb_digits.yaml."),
        (
            ["fit", "--model=BayesByBackprop", "--data=Digits"],
            "model: BayesByBackprop needs net, which has no default.",
        ),
        (["fit", "--config"], "argument -c/--config: expected one argument"),
        (
            ["test", "--config=bbb_digits.yaml"],
            "test needs --ckpt_path last, best or a file: untrained weights say nothing.",
        ),
    ],
)
def test_something_missing_is_told_in_a_line(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 2
    assert capsys.readouterr().err == f"lightning-vi: {message}\n"


def test_a_few_names_are_listed_where_none_is_near() -> None:
    command = [sys.executable, "-m", "lightning_vi", *DIGITS, "--model=Xyz"]  # a process without the tests' own modules
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("lightning-vi: model: there is no class 'Xyz'. Known: ")
    assert "BayesByBackprop, DeepEnsemble, PointEstimate" in done.stderr


def test_shorten() -> None:
    assert shorten("\n  first \nsecond") == "first"
    assert shorten("x" * 400) == "x" * 297 + "..."
    assert shorten("") == ""
