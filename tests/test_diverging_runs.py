"""A training that diverges, through the real command line: one clear message, exit code 2, the last good checkpoint."""

import json
import re
from pathlib import Path

import pytest
import torch
import yaml

from lightning_vi.__main__ import main
from tests.elsewhere import elsewhere as elsewhere

OPTIONS = ["--trainer.accelerator=cpu", "--trainer.max_epochs=3", "--trainer.callbacks=[]"]


@pytest.mark.parametrize(
    ("config", "options", "told"),
    [
        (
            "bbb_digits.yaml",
            ["--model.optimizer.lr=1e30", "--model.compile=false"],
            r"BayesByBackprop: nll \(=(nan|inf)\)",
        ),
        ("ensemble_digits.yaml", ["--model.optimizer.lr=1e30"], r"DeepEnsemble: nll \(=(nan|inf)\)"),
        ("vae_digits.yaml", ["--model.optimizer.lr=1e6"], r"VAE: reconstruction \(=(nan|inf)\) and kl \(=inf\)"),
        ("gan_digits.yaml", ["--model.discriminator_optimizer.lr=1e6"], r"GAN: discriminator_loss \(=(nan|inf)\)"),
        ("gan_digits.yaml", ["--model.generator_optimizer.lr=1e38"], r"GAN: \w+_loss \(=(nan|inf)\)"),
    ],
)
def test_a_learning_rate_too_large_is_told(
    config: str, options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", f"--config={config}", *OPTIONS, *options]) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    rate = re.escape(f"{float(options[0].partition('=')[2]):g}")
    pattern = rf"(?m)^lightning-vi: {told}.* not finite at step \d+ \(epoch 1, learning rate (.*/)?{rate}(/.*)?\)\.$"
    assert re.search(pattern, error), error
    assert "Lower the learning rate" in error


def test_a_minibatch_that_cannot_be_normalised_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--model.compile=false", "--model.net.normalization=BatchNorm1d", "--data.batch_size=1"]
    assert main(["fit", "--config=bbb_digits.yaml", *OPTIONS, *arguments]) == 2
    assert "lightning-vi: a minibatch of one example" in capsys.readouterr().err


def write(name: str, content: object) -> str:
    Path(name).write_text(yaml.safe_dump(content))
    return f"--config={name}"


def test_the_last_good_checkpoint_is_named_and_stays() -> None:
    """The second epoch's rate is too large; the first epoch's checkpoint can be tested."""
    rate = {"class_path": "torch.optim.lr_scheduler.StepLR", "init_args": {"step_size": 1, "gamma": 1e30}}
    saver = {"class_path": "ModelCheckpoint", "init_args": {"filename": "last", "save_on_train_epoch_end": True}}
    config = write("late.yaml", {"trainer": {"callbacks": [saver]}, "model": {"init_args": {"lr_scheduler": rate}}})
    arguments = ["--config=bbb_digits.yaml", *OPTIONS, config, "--model.draws=2", "--model.compile=false"]
    assert main(["fit", *arguments]) == 2
    (path,) = Path("runs").glob("*/*/checkpoints/last.ckpt")
    state = torch.load(path, weights_only=True)["state_dict"]
    assert all(bool(each.isfinite().all()) for each in state.values() if isinstance(each, torch.Tensor))
    assert main(["test", *arguments, f"--ckpt_path={path}"]) == 0


def test_skipped_steps_stand_in_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    """One step in a row may be skipped; that of one minibatch of the second epoch would have to be."""
    Path("spoilt.py").write_text(SPOILT)
    callbacks = [{"class_path": "spoilt.Spoil"}, {"class_path": "FiniteSteps", "init_args": {"skip": 1}}]
    callbacks.append({"class_path": "LearningCurves"})
    config = write("skip.yaml", {"trainer": {"callbacks": callbacks}})
    assert main(["fit", "--config=vae_digits.yaml", *OPTIONS, config, "--model.draws=2"]) == 0
    (path,) = Path("runs").glob("*/*/results.json")
    results = json.loads(path.read_text())
    assert results["skipped_steps"] == 1
    assert list(results["curves"]["train/skipped_steps"].values()) == [0.0, 1.0, 1.0]
    assert re.search(r"(?m)^ *skipped steps +1 *$", capsys.readouterr().out)


SPOILT = """
import torch
from lightning.pytorch import Callback


class Spoil(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 1 and batch_idx == 3:
            batch[0][0] = torch.nan
"""
