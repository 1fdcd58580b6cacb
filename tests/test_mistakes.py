"""What a user can get wrong, through the real command line: told in a line or two, exit code 2, nothing written.

`test_user_errors.py` has what the parser of options says, word for word; here is what comes behind it.
"""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from torchvision import datasets

from lightning_vi.__main__ import main
from lightning_vi.checkpoint_version import FORMAT, KEY
from lightning_vi.datamodules import images

FIT = "fit --config=bbb_digits.yaml --trainer.accelerator=cpu"
VAE = "fit --config=vae_digits.yaml --trainer.accelerator=cpu"
GAN = "fit --config=gan_digits.yaml --trainer.accelerator=cpu"
ENSEMBLE = "fit --config=ensemble_digits.yaml --trainer.accelerator=cpu"
DROPOUT = "fit --config=mc_dropout_digits.yaml --trainer.accelerator=cpu"
PRUNE = "prune --config=bbb_digits.yaml --trainer.accelerator=cpu --model.net.hidden=[8]"
TEST = "test --config=bbb_digits.yaml --trainer.accelerator=cpu --model.net.hidden=[8]"

MISTAKES: dict[str, tuple[str, ...]] = {
    # priors, posteriors, likelihoods
    f"{FIT} --model.prior=ScaleMixture --model.prior.pi=1.5": ("ScaleMixture: pi (=1.5)", "must lie in (0, 1)"),
    f"{FIT} --model.prior=ScaleMixture --model.prior.pi=-0.1": ("ScaleMixture: pi (=-0.1)", "must lie in (0, 1)"),
    f"{FIT} --model.prior=ScaleMixture --model.prior.sigma1=0": ("sigma1 (=0.0)", "must be > 0 and < sigma1"),
    f"{FIT} --model.prior=Gaussian --model.prior.sigma=0": ("Gaussian prior: sigma (=0.0)", "must be > 0"),
    f"{FIT} --model.prior=Gaussian --model.prior.sigma=.nan": ("Gaussian prior: sigma (=nan)", "must be > 0"),
    f"{FIT} --model.prior=Gaussian --model.prior.sigma=.inf": ("sigma (=inf)", "must be > 0 and finite"),
    f"{FIT} --model.posterior=SoftplusVariance --model.posterior.initial_sigma=-1": (
        "SoftplusVariance: initial_sigma (=-1.0)",
        "must be > 0 and finite",
    ),
    f"{FIT} --model.posterior.initial_sigma=.inf": ("initial_sigma (=inf)", "must be > 0 and finite"),
    f"{FIT} --model.likelihood=Gaussian --model.likelihood.sigma=0": ("sigma (=0.0)", "must be positive and finite"),
    f"{FIT} --model.likelihood=Gaussian": ("Gaussian: targets of shape", "Choose a likelihood that fits"),
    f"{FIT} --data=Curve": ("Categorical: target_size (=1)", "must be at least 2 classes"),
    # networks and their arguments
    f"{FIT} --model.net.dropout=1.5": ("MLP: dropout (=1.5)", "must lie in [0, 1)"),
    f"{FIT} --model.net.hidden=[8,-5]": ("MLP: hidden (=(8, -5))", "must be positive"),
    f"{FIT} --model.net=torch.nn.Linear": ("Linear: its arguments do not fit",),
    f"{FIT} --model.target_size=4": ("model.target_size (=4)", "that of the data, 10", "Leave it out"),
    f"{FIT} --model.input_shape=[3]": ("model.input_shape (=(3,))", "that of the data, (1, 8, 8)", "Leave it out"),
    f"{DROPOUT} --model.net.dropout=0": ("Monte Carlo dropout: MLP has no layer Dropout", "leave the draws out"),
    f"{DROPOUT} --model.dropout_draws=0": ("PointEstimate: dropout_draws (=0)", "must be at least 1"),
    f"{FIT} --model.val_draws=0": ("BayesByBackprop: val_draws (=0)", "must be at least 1"),
    f"{FIT} --model.optimizer.betas=[2,3]": ("Adam: Invalid beta parameter", "2.0"),
    f"{FIT} --model.weighting=Geometric --model.weighting.batches=3": (
        "model.weighting: Geometric has no option 'batches'",
        "Its options: none",
    ),
    f"{VAE} --model.latent_size=0": ("latent_size", "(=(0,))", "must be at least 1"),
    f"{VAE} --data.scaling=Standardise": ("StochasticBinarisation", "set scaling to UnitInterval"),
    f"{GAN} --model.discriminator_steps=0": ("GAN: discriminator_steps (=0)", "must be at least 1"),
    f"{GAN} --model.noise.size=-3": ("size (=-3)", "must be at least 1"),
    f"{GAN} --trainer.gradient_clip_val=1": ("gradient_clip_val=1", "not supported for manual optimization"),
    f"{ENSEMBLE} --model.members=0": ("DeepEnsemble: members (=0)", "must be at least 1"),
    # data
    f"{FIT} --data.batch_size=5000": ("Digits: batch_size (=5000)", "must not exceed", "(=1257)"),
    f"{FIT} --data.eval_batch_size=-1": ("Digits: eval_batch_size (=-1)", "must be at least 1"),
    f"{FIT} --data.validation_size=-1": ("Digits: validation_size (=-1)", "must be 0 or lie in [10, 1427]"),
    f"{FIT} --data.validation_size=9999": ("Digits: validation_size (=9999)", "must be 0 or lie in [10, 1427]"),
    f"{FIT} --data=MNIST --data.validation_size=60000": ("MNIST: validation_size (=60000)", "[0, 59999]"),
    f"{FIT} --data.scaling=Divide --data.scaling.divisor=0": ("Divide: divisor (=0.0)", "must be positive"),
    f"{FIT} --data=MNIST --data.root=nowhere": ("looked in", "nowhere/MNIST/raw", "Put them there", "bbb_digits.yaml"),
    f"{FIT} --data=MNIST --data.root=damaged": (
        "train-images-idx3-ubyte",
        "has 16 bytes instead of 47040016",
        "delete it",
    ),
    # trainer
    f"{FIT} --trainer.accelerator=gpu --trainer.devices=2": ("trainer.accelerator (=gpu)", "Choose cpu or auto"),
    f"{FIT} --trainer.accelerator=mps": ("trainer.accelerator (=mps)", "Choose cpu or auto"),
    f"{FIT} --trainer.devices=-1": ("trainer.devices (=-1)", "from 1 on, or auto"),
    f"{FIT} --trainer.devices=[0,1]": ("trainer.devices (=[0, 1])", "from 1 on, or auto"),
    f"{FIT} --trainer.strategy=dpp": ("strategy='dpp'", "auto, ddp"),
    f"{FIT} --trainer.precision=bf17": ("trainer.precision: expected", "got 'bf17'", "Did you mean 'bf16'?"),
    f"{FIT} --trainer.max_epochs=0": ("CosineLR: epochs (=0)", "must be at least 1"),
    f"{FIT} --trainer.max_time=long": ("Timer(duration='long')", "DD:HH:MM:SS"),
    f"{FIT} --trainer.accumulate_grad_batches=0": ("trainer.accumulate_grad_batches (=0)", "must be at least 1"),
    f"{FIT} --trainer.check_val_every_n_epoch=0": ("trainer.check_val_every_n_epoch (=0)", "must be at least 1"),
    f"{FIT} --trainer.gradient_clip_val=-1": ("trainer.gradient_clip_val (=-1)", "must be at least 0"),
    f"{FIT} --trainer.limit_train_batches=2.5": ("2.5 for limit_train_batches", "[0.0, 1.0] or an int"),
    f"{FIT} --seed_everything=-1": ("seed_everything (=-1)", "must lie in [0, 4294967295]"),
    f"{FIT} --name=../elsewhere": ("name (='../elsewhere')", "below the loggers' folder"),
    # files
    f"{FIT} --config=nowhere.yaml": ("--config nowhere.yaml: no such file", "Packaged: "),
    f"{FIT} --config=.": ("--config .: this is a folder, not a file",),
    "fit --config=table1.yaml": ("--config table1.yaml", "Use it so: table --config table1.yaml"),
    f"{FIT} --weights=nowhere.ckpt": ("--weights nowhere.ckpt: no such file",),
    f"{FIT} --ckpt_path=best": ("--ckpt_path best", "Run fit first, or give a path"),
    f"{FIT} --ckpt_path=page.html": ("page.html is not a checkpoint",),
    # checkpoints
    f"{FIT} --ckpt_path=run.ckpt --model.net.hidden=[9]": ("run.ckpt does not fit", "Give the config.yaml"),
    f"{FIT} --ckpt_path=run.ckpt --data=MNIST": ("run.ckpt was trained on Digits", "are MNIST", "--weights run.ckpt"),
    f"{FIT} --ckpt_path=run.ckpt --model=PointEstimate": ("run.ckpt is of the model", "BayesByBackprop", "config.yaml"),
    f"{FIT} --ckpt_path=run.ckpt --trainer.max_epochs=0 --model.lr_scheduler=null": (
        "trained for 1 epochs already",
        "max_epochs (=0) must be larger",
    ),
    f"{FIT} --ckpt_path=newer.ckpt": (f"newer.ckpt has the checkpoint format {FORMAT + 1}", "Use the version"),
    f"{TEST} --ckpt_path=newer.ckpt": (f"newer.ckpt has the checkpoint format {FORMAT + 1}", "Use the version"),
    f"{TEST} --ckpt_path=run.ckpt --model=PointEstimate": ("run.ckpt does not fit", "Give the config.yaml"),
    f"{TEST}": ("test needs --ckpt_path last, best or a file",),
    # out-of-distribution data
    f"{TEST} --ckpt_path=run.ckpt --ood=Curve": ("--ood Curve: its inputs have the shape (1,)", "(1, 8, 8)"),
    f"{FIT} --ood=MNIST --ood.root=nowhere": ("nowhere/MNIST/raw", "Put them there"),
    f"{TEST} --ckpt_path=run.ckpt --ood=Digit": ("ood: there is no class 'Digit'", "Did you mean 'Digits'?"),
    f"{TEST} --ckpt_path=run.ckpt --ood=Rotated --ood.data=Curve": ("Rotated: data (=Curve) must be images",),
    "fit --config=bbb_regression.yaml --ood=Curve": ("--ood", "BayesByBackprop predicts no classes"),
    # other commands
    f"{PRUNE} --ckpt_path=run.ckpt --draws=0": ("--draws (=0)", "must be at least 1"),
    f"{PRUNE} --ckpt_path=run.ckpt --fractions=[1.5]": ("1.5", "must lie in [0, 1)"),
    f"{PRUNE} --ckpt_path=run.ckpt --remove=0": ("--remove (=0.0)", "must lie in (0, 1)"),
    f"{PRUNE} --ckpt_path=run.ckpt --published='{{a: 1}}'": ("--published (={'a': 1.0})", "expected fractions"),
    "predict --config=bbb_digits.yaml": ("predict needs --ckpt_path last, best or a file",),
    "table --config=bbb_digits.yaml": (
        "bbb_digits.yaml: this is the configuration of one run",
        "Use it so: fit --config bbb_digits.yaml",
    ),
    "table --rows=nothing": ("--rows nothing: no row of table1 matches", "Rows: sgd-400"),
    "table --workers=0": ("--workers (=0)", "must be at least 1"),
    "table --seeds=-1": ("--seeds (=[-1])", "from 0 on"),
    "table --epochs-scale=0": ("--epochs-scale (=0.0)", "must be positive"),
    "sample run.ckpt": ("run.ckpt: BayesByBackprop has no latent variables to sample",),
    "sample newer.ckpt": (f"newer.ckpt has the checkpoint format {FORMAT + 1}", "Use the version"),
    "sample run.ckpt --columns=1": ("--columns (=1)", "must be at least 2"),
    "sample run.ckpt --what=priors": ("what: expected 'prior'", "got 'priors'", "Did you mean 'prior'?"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's checkpoint, the same as of a newer version, a page that is none, and damaged data."""
    path = tmp_path_factory.mktemp("mistakes")
    raw = path / "damaged" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in images.TRAINING_FILES + images.TEST_FILES:
        (raw / name).write_bytes(bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (60_000, 28, 28)))
    (path / "page.html").write_text("<html>404</html>")
    with pytest.MonkeyPatch.context() as patch:
        here(patch, path)
        few = "--trainer.max_epochs=1 --model.net.hidden=[8] --model.draws=1 --trainer.callbacks=ModelCheckpoint"
        assert main([*shlex.split(f"{FIT} {few}"), "--trainer.enable_progress_bar=false"]) == 0
    (checkpoint,) = path.glob("runs/*/*/checkpoints/*.ckpt")
    content: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    assert content[KEY] == FORMAT
    checkpoint.rename(path / "run.ckpt")
    torch.save({**content, KEY: FORMAT + 1}, path / "newer.ckpt")
    shutil.rmtree(path / "runs")
    return path


def here(patch: pytest.MonkeyPatch, path: Path) -> None:
    patch.chdir(path)
    patch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        patch.setenv(name, "0")  # Lightning sets them; so they are taken back
    for kind in (CUDAAccelerator, MPSAccelerator):
        patch.setattr(kind, "is_available", lambda: False)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("line", MISTAKES)
def test_is_told_in_a_line_or_two_and_leaves_nothing(
    line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here(monkeypatch, folder)
    before = contents(folder)
    assert main(shlex.split(line)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) <= 2
    assert sum(each.startswith("lightning-vi: ") for each in lines) == 1
    assert "Traceback" not in captured.err
    for part in MISTAKES[line]:
        assert part in captured.err
    assert contents(folder) == before


def test_so_it_is_in_a_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lightning_vi", *shlex.split(f"{FIT} --data.batch_size=5000")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert [each.startswith("lightning-vi: ") for each in done.stderr.splitlines()] == [True]
    assert list(tmp_path.iterdir()) == []
