"""`lightning-vi export`: what it writes, and what another process makes of it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lightning_vi.__main__ import main
from lightning_vi.errors import UserError
from lightning_vi.loading import load
from lightning_vi.modules import GAN, BayesByBackprop
from tests.elsewhere import elsewhere as elsewhere

SHORT = [
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=2",
    "--trainer.limit_val_batches=0",
    "--test_checkpoint=none",
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of a run of `bbb_digits.yaml`."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PL_GLOBAL_SEED", "0")
        patch.setenv("PL_SEED_WORKERS", "0")
        assert main(["fit", "--config=bbb_digits.yaml", *SHORT]) == 0
    return folder / "runs/bbb_digits/version_0/checkpoints/last.ckpt"


@pytest.fixture
def expected(checkpoint: Path) -> torch.Tensor:
    """Logits of the first 50 of some inputs, at the posterior mean."""
    return load(checkpoint, BayesByBackprop).predictive(inputs(), "mean").outputs[0]


def inputs() -> torch.Tensor:
    return torch.linspace(0, 1, 50 * 64).view(50, 1, 8, 8)


# What unpickles is taken away before anything is read: `torch.load` for a checkpoint's sake, `pickle` for all others'.
WITHOUT_PICKLE = """
import numpy, pickle, torch
from lightning_vi.loading import load
from lightning_vi.modules import BayesByBackprop
def refuse(*args, **kwargs): raise AssertionError("this unpickles")
torch.load = pickle.load = pickle.loads = refuse
model = load("model.safetensors", BayesByBackprop)
inputs = torch.linspace(0, 1, 50 * 64).view(50, 1, 8, 8)
numpy.save("outputs.npy", model.predictive(inputs, "mean").outputs[0].numpy())
numpy.save("draws.npy", model.predictive(inputs, draws=3).outputs.detach().numpy())
"""

WITHOUT_THE_PACKAGE = """
import numpy, sys, torch
network = torch.export.load("model.pt2").module()
inputs = torch.linspace(0, 1, 50 * 64).view(50, 1, 8, 8)
numpy.save("outputs.npy", torch.cat([network(part) for part in inputs.split([1, 2, 47])]).detach().numpy())
assert not [name for name in sys.modules if name.startswith(("lightning", "jsonargparse"))]
"""


def read(file: str) -> torch.Tensor:
    import numpy as np

    return torch.from_numpy(np.load(file))


def test_weights_load_in_another_process_without_unpickling(
    checkpoint: Path, expected: torch.Tensor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(checkpoint), "--to=model.safetensors"]) == 0
    assert capsys.readouterr().out == "model.safetensors\n"
    environment = {"PYTHONPATH": str(Path(__file__).parent.parent), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", WITHOUT_PICKLE], check=True, env=environment, timeout=120)
    assert torch.equal(read("outputs.npy"), expected)
    # The stream of the weight noise goes on where it was.
    assert torch.equal(read("draws.npy"), load(checkpoint, BayesByBackprop).predictive(inputs(), draws=3).outputs)


def test_the_network_runs_in_a_process_without_this_package(
    checkpoint: Path, expected: torch.Tensor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(checkpoint), "--to=model.pt2"]) == 0
    assert capsys.readouterr().out == "model.pt2\n"
    subprocess.run([sys.executable, "-I", "-c", WITHOUT_THE_PACKAGE], check=True, timeout=120)
    torch.testing.assert_close(read("outputs.npy"), expected)


def test_by_default_beside_the_checkpoint_and_the_same_when_loaded(checkpoint: Path) -> None:
    assert main(["export", str(checkpoint)]) == 0
    there = load(checkpoint.with_suffix(".safetensors"), BayesByBackprop)
    here = load(checkpoint, BayesByBackprop)
    assert not there.training
    assert there.hparams == here.hparams
    for name, value in here.state_dict().items():
        found = there.state_dict()[name]
        assert torch.equal(found, value) if isinstance(value, torch.Tensor) else found == value
    # Of an exported file it is no other.
    assert main(["export", str(checkpoint.with_suffix(".safetensors")), "--to=again.safetensors"]) == 0
    assert Path("again.safetensors").read_bytes() == checkpoint.with_suffix(".safetensors").read_bytes()


@pytest.mark.parametrize("config", ["vae_digits.yaml", "gan_digits.yaml", "ensemble_digits.yaml", "ae_digits.yaml"])
def test_weights_of_all_kinds_of_models(config: str) -> None:
    assert main(["fit", f"--config={config}", *SHORT]) == 0
    path = Path("runs") / config.removesuffix(".yaml") / "version_0/checkpoints/last.ckpt"
    assert main(["export", str(path), "--to=model.safetensors"]) == 0
    from lightning.pytorch import LightningModule

    there, here = load("model.safetensors", LightningModule), load(path, LightningModule)
    assert type(there) is type(here)
    assert isinstance(there, GAN) == config.startswith("gan")
    for name, value in here.state_dict().items():
        found = there.state_dict()[name]
        assert torch.equal(found, value) if isinstance(value, torch.Tensor) else found == value


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "export needs a checkpoint, e.g. runs/"),
        (["nowhere.ckpt"], "nowhere.ckpt: no such file."),
        (["CKPT", "--to=model.onnx"], "--to model.onnx: the name must end in .safetensors, .* or in .pt2"),
        (["CKPT", "--too=a"], "there is no option '--too'. Did you mean '--to'?"),
        (["CKPT", "--to=taken/model.pt2"], "taken: File exists"),
    ],
)
def test_mistakes(arguments: list[str], told: str, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").touch()
    assert main(["export", *(each.replace("CKPT", str(checkpoint)) for each in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.match(f"lightning-vi: {told}", captured.err)
    assert [path.name for path in Path().iterdir()] == ["taken"]


def test_classes_of_others_are_not_built(checkpoint: Path) -> None:
    from lightning_vi import tensor_file
    from lightning_vi.loading import saved_model

    settings, state = saved_model(checkpoint)
    net = {"class_path": "os.system", "init_args": {"command": "touch called"}}
    tensor_file.write(tensor_file.Model({**settings, "net": net}, state), Path("a.safetensors"))
    with pytest.raises(UserError, match=r"it names 'os\.system', which is no class"):
        load("a.safetensors", BayesByBackprop)
    tensor_file.write(tensor_file.Model({}, state), Path("b.safetensors"))
    with pytest.raises(UserError, match="does not say how to build its model"):
        load("b.safetensors", BayesByBackprop)
    tensor_file.write(tensor_file.Model(settings, {}), Path("c.safetensors"))
    with pytest.raises(UserError, match=r"cannot be built: .*Missing key"):
        load("c.safetensors", BayesByBackprop)
    with pytest.raises(UserError, match="holds a BayesByBackprop, not a GAN"):
        load(checkpoint, GAN)
    assert not Path("called").exists()
