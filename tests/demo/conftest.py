"""Runs of a second or two, whose checkpoints the demonstration is tested with."""

from pathlib import Path

import pytest

from lightning_vi.__main__ import main

SHORT = [
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=4",
    "--trainer.limit_val_batches=0",
    "--test_checkpoint=none",
]
RUNS = {
    "bbb": ["bbb_digits.yaml", "--data.scaling=Standardise"],
    "ensemble": ["ensemble_digits.yaml", "--data.scaling=Divide"],
    "vae": ["vae_digits.yaml"],
    "gan": ["gan_digits.yaml", "--trainer.callbacks=LastCheckpoint"],
}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The checkpoints by the names of :data:`RUNS`."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
            patch.setenv(name, "0")
        for name, (config, *options) in RUNS.items():
            assert main(["fit", f"--config={config}", f"--name={name}", *options, *SHORT]) == 0
    return {name: folder / f"runs/{name}/version_0/checkpoints/last.ckpt" for name in RUNS}
