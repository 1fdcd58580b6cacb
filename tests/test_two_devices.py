"""Two processes train what one trains with the same global batch, and each has noise of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import json, sys, warnings
from functools import partial
import torch
from lightning.pytorch import Trainer, seed_everything
from lightning_vi.datamodules import Digits
from lightning_vi.modules import BayesByBackprop
from lightning_vi.networks import MLP
from lightning_vi.posteriors import SoftplusScale

devices, sigma, out = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
seed_everything(1, verbose=False)
data = Digits(batch_size=60 // devices)
module = BayesByBackprop(
    partial(MLP, hidden=[16]), data.input_shape, data.target_size, posterior=SoftplusScale(sigma),
    optimizer=partial(torch.optim.SGD, lr=0.05), draws=5,
)
trainer = Trainer(
    accelerator="cpu", devices=devices, strategy="ddp" if devices > 1 else "auto", max_epochs=2, logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
)
trainer.fit(module, data)
train = dict(trainer.callback_metrics)
trainer.test(module, data, verbose=False)
metrics = {k: float(v) for k, v in {**train, **trainer.callback_metrics}.items() if k != "train/loss_step"}
first_noise = module.model.epsilon()[:3].tolist()
rank = trainer.global_rank
open(f"{out}.{rank}", "w").write(json.dumps([metrics, module.model.mu.tolist(), first_noise]))
"""


def run(folder: Path, devices: int, sigma: float, script: str = SCRIPT) -> list[Any]:
    file = folder / "train.py"
    file.write_text(script)
    out = folder / f"out{devices}"
    command = [sys.executable, str(file), str(devices), str(sigma), str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=300, cwd=folder)
    return [json.loads(Path(f"{out}.{rank}").read_text()) for rank in range(devices)]


def test_two_processes_equal_one(tmp_path: Path) -> None:
    (one,) = run(tmp_path, devices=1, sigma=1e-7)  # hardly any noise, so that the runs can be compared
    two = run(tmp_path, devices=2, sigma=1e-7)
    for metrics, mu, _ in two:
        assert metrics == pytest.approx(one[0], rel=1e-4, abs=1e-5)
        assert mu == pytest.approx(one[1], rel=1e-3, abs=1e-5)
    assert two[0][1] == two[1][1]
    assert two[0][2] != two[1][2]


LATENTS = """
import json, sys, warnings
from functools import partial
import torch
from lightning.pytorch import Trainer, seed_everything
from lightning_vi.datamodules import Digits, StochasticBinarisation
from lightning_vi.modules import VAE
from lightning_vi.networks import MLP

devices, _, out = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
seed_everything(1, verbose=False)
data = Digits(batch_size=60 // devices, transform=StochasticBinarisation())
net = partial(MLP, hidden=[16], activation=torch.nn.Tanh)
module = VAE(data.input_shape, net, net, 3, optimizer=partial(torch.optim.SGD, lr=1e-3), draws=2000, val_draws=20)
with torch.no_grad():  # hardly any noise, so that the runs can be compared
    module.model.encoders[0].output.weight[3:].zero_()
    module.model.encoders[0].output.bias[3:].fill_(-20.0)
trainer = Trainer(
    accelerator="cpu", devices=devices, strategy="ddp" if devices > 1 else "auto", max_epochs=2, logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
)
trainer.fit(module, data)
train = dict(trainer.callback_metrics)
noise = torch.randn(3).tolist()
weights = torch.cat([each.detach().flatten() for each in module.parameters()]).tolist()
with torch.no_grad():  # wide enough that the importance weights have a variance
    module.model.encoders[0].output.bias[3:].fill_(0.0)
trainer.test(module, data, verbose=False)
of_narrow_draws = ["train/loss_step", "val/nll", "val/nll_se"]
scores = {**train, **trainer.callback_metrics}
metrics = {name: float(value) for name, value in scores.items() if name not in of_narrow_draws}
open(f"{out}.{trainer.global_rank}", "w").write(json.dumps([metrics, weights, noise]))
"""


# The draws of a test are wide, and those of two devices differ.
ROOM = {"test/nll": 0.02, "test/nll_se": 0.005}


def test_two_processes_train_the_latent_model_of_one(tmp_path: Path) -> None:
    (one,) = run(tmp_path, devices=1, sigma=0.0, script=LATENTS)
    two = run(tmp_path, devices=2, sigma=0.0, script=LATENTS)
    for metrics, weights, _ in two:
        for name, value in metrics.items():
            assert value == pytest.approx(one[0][name], rel=1e-3, abs=ROOM.get(name, 1e-4)), name
        assert weights == pytest.approx(one[1], rel=1e-3, abs=1e-4)
    assert two[0][1] == two[1][1]
    assert two[0][2] != two[1][2]


ADVERSARIAL = """
import json, sys
from functools import partial
import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning_vi.adversarial import R1
from lightning_vi.datamodules import Digits
from lightning_vi.errors import UserError
from lightning_vi.modules import GAN
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian

devices, _, out = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
seed_everything(1, verbose=False)
data = Digits(batch_size=60 // devices, seed=1)
net = partial(MLP, hidden=[16])
normalised = partial(MLP, hidden=[16], normalization=torch.nn.BatchNorm1d)
optimizer = partial(torch.optim.Adam, lr=1e-3)
module = GAN(
    data.input_shape, normalised, net, Gaussian(3), penalty=R1(every=2), discriminator_steps=2, ema=0.9,
    generator_optimizer=optimizer, discriminator_optimizer=optimizer,
)

class Noise(Callback):
    first = None
    def on_train_batch_start(self, *_):
        if self.first is None:
            state = torch.get_rng_state()
            self.first = torch.randn(3).tolist()
            torch.set_rng_state(state)

def fit(strategy):
    noise = Noise()
    trainer = Trainer(
        accelerator="cpu", devices=devices, strategy=strategy, max_epochs=2, logger=False, callbacks=[noise],
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(module, data)
    return trainer, noise.first

try:
    fit("ddp")
    message = ""
except UserError as error:
    message = str(error)
trainer, noise = fit("ddp_find_unused_parameters_true")
weights = torch.cat([each.detach().flatten() for each in module.parameters()]).tolist()
figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
trainer.test(module, data, verbose=False)
figures |= {name: float(value) for name, value in trainer.callback_metrics.items()}
open(f"{out}.{trainer.global_rank}", "w").write(json.dumps([figures, weights, noise, message, module.steps]))
"""


def test_two_processes_keep_both_networks_of_a_gan_alike(tmp_path: Path) -> None:
    first, second = run(tmp_path, devices=2, sigma=0.0, script=ADVERSARIAL)
    assert first[1] == second[1]
    assert first[0] == pytest.approx(second[0])
    assert first[2] != second[2]
    assert "Set --trainer.strategy ddp_find_unused_parameters_true" in first[3]
    assert first[4] == second[4] == {"generator": 21, "discriminator": 42}
