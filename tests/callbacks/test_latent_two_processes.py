"""Pictures of latent variables that two processes draw are those that one draws."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Trainer
from matplotlib.image import imread

from lightning_vi.callbacks import (
    Interpolations,
    LatentCodes,
    LatentManifold,
    LatentTraversals,
    LatentUsage,
    PriorSamples,
    Reconstructions,
)
from tests.latents import vae


def run(folder: Path, devices: int, **settings: Any) -> None:
    module, data = vae(latent_size=2)
    data.eval_batch_size = 70
    callbacks = [Interpolations(), LatentCodes(), LatentManifold(side=5), LatentTraversals(), LatentUsage()]
    trainer = Trainer(
        accelerator="cpu",
        devices=devices,
        logger=False,
        default_root_dir=folder,
        callbacks=[*callbacks, PriorSamples(), Reconstructions()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.test(module, data, verbose=False)


def test_two_processes_draw_what_one_draws(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run(one, 1)
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-m", "tests.callbacks.test_latent_two_processes", str(two)], cwd=root, check=True)
    names = sorted(path.name for path in (one / "figures").iterdir())
    assert len(names) == 7
    assert sorted(path.name for path in (two / "figures").iterdir()) == names
    for name in set(names) - {"latent_usage.png", "latent_traversals.png"}:  # whose KL is an estimate
        np.testing.assert_array_equal(imread(two / "figures" / name), imread(one / "figures" / name))
    usage = [np.genfromtxt(folder / "latents.csv", delimiter=",", skip_header=1) for folder in (one, two)]
    np.testing.assert_allclose(usage[1], usage[0], rtol=1e-3, atol=1e-5)


if __name__ == "__main__":
    run(Path(sys.argv[1]), 2, strategy="ddp")
