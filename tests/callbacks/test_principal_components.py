"""Also a script, `python test_principal_components.py FILE`: the scores of two processes, as JSON."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from sklearn.decomposition import PCA

from lightning_vi.callbacks import PrincipalComponents
from lightning_vi.callbacks.principal_components import training_inputs
from lightning_vi.datamodules import Digits, StochasticBinarisation
from lightning_vi.modules import Autoencoder
from lightning_vi.networks import MLP

Make = Callable[..., Trainer]


def linear(code_size: int = 5, **options: Any) -> Autoencoder:
    seed_everything(1, verbose=False)
    net = partial(MLP, hidden=[])
    return Autoencoder((1, 8, 8), net, net, code_size, **options)


@pytest.mark.parametrize("code_size", [2, 30])
def test_it_is_the_error_of_pca_on_the_same_test_inputs(make_trainer: Make, code_size: int) -> None:
    data = Digits(seed=0, eval_batch_size=100)
    trainer = make_trainer(PrincipalComponents())
    (scores,) = trainer.test(linear(code_size), data, verbose=False)
    training, _, test = (split.tensors[0].flatten(start_dim=1).double().numpy() for split in data.splits())
    pca = PCA(code_size, svd_solver="full").fit(training)
    truth = np.square(test - pca.inverse_transform(pca.transform(test))).mean()
    assert scores["test/mse_pca"] == pytest.approx(truth, rel=1e-5)
    assert trainer.test(linear(code_size), data, verbose=False) == [scores]  # must not add up with the first


def test_a_linear_autoencoder_comes_as_far_and_no_further(make_trainer: Make) -> None:
    data, module = Digits(seed=0), linear(3).double()
    rows = data.splits().training.tensors[0].double()
    module.model.start_at(rows.flatten(start_dim=1).mean(dim=0), torch.ones(64))
    optimizer = torch.optim.LBFGS(module.model.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = module.model.likelihood.nll(module.model.reconstruct(rows), rows.flatten(start_dim=1)).mean()
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    (scores,) = make_trainer(PrincipalComponents()).test(module.float(), data, verbose=False)
    assert scores["test/mse"] == pytest.approx(scores["test/mse_pca"], rel=1e-3)


def test_a_code_as_long_as_the_input_loses_nothing(make_trainer: Make) -> None:
    (scores,) = make_trainer(PrincipalComponents()).test(linear(100), Digits(seed=0), verbose=False)
    assert scores["test/mse_pca"] == pytest.approx(0.0, abs=1e-6)


def test_it_is_fitted_to_what_training_sees(make_trainer: Make) -> None:
    """Bits, drawn from the grey values of the data set, which stays as it is."""
    data = Digits(seed=4, transform=StochasticBinarisation())
    data.setup()
    grey = data.train_dataloader().dataset.tensors[0].flatten(start_dim=1)
    before = torch.get_rng_state()
    bits = training_inputs(data.train_dataloader())
    assert torch.equal(torch.get_rng_state(), before)
    assert bits.unique().tolist() == [0.0, 1.0]
    assert torch.equal(training_inputs(data.train_dataloader()), bits)
    variance = (grey * (1 - grey)).sum()
    assert abs((bits - grey).sum()) < 5 * variance.sqrt()
    (scores,) = make_trainer(PrincipalComponents()).test(linear(), data, verbose=False)
    test = data.test_dataloader().dataset.tensors[0].flatten(start_dim=1).numpy()
    errors = []
    for rows in (bits, grey):
        pca = PCA(5).fit(rows.double().numpy())
        errors.append(np.square(test - pca.inverse_transform(pca.transform(test))).mean())
    assert scores["test/mse_pca"] == pytest.approx(errors[0], rel=1e-5)
    assert errors[0] != pytest.approx(errors[1], rel=1e-3)


def test_a_checkpoint_from_inside_an_epoch_is_tested_alike(make_trainer: Make, tmp_path: Path) -> None:
    """The datamodule then holds a place in the middle of the training data."""
    module, trainer = linear(), make_trainer(max_steps=4, max_epochs=-1, logger=False, limit_val_batches=0)
    trainer.fit(module, Digits(seed=0))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    first, again = (
        make_trainer(PrincipalComponents(), logger=False).test(
            module, Digits(seed=0, batch_size=size), ckpt_path=path, weights_only=True, verbose=False
        )
        for size, path in ((128, None), (50, tmp_path / "a.ckpt"))
    )
    assert first == again


def test_says_once_where_there_is_nothing_to_compare(
    make_trainer: Make,
    caplog: pytest.LogCaptureFixture,
    point_estimate: tuple[LightningModule, LightningDataModule],
) -> None:
    callback, data = PrincipalComponents(), Digits(seed=0)
    data.setup()
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        for _ in range(2):
            make_trainer(callback, logger=False).test(*point_estimate, verbose=False)
            trainer = make_trainer(callback, logger=False)
            trainer.test(linear(), data.test_dataloader(), verbose=False)
    assert caplog.text.count("PrincipalComponents logs nothing: PointEstimate has no code.") == 1
    assert caplog.text.count("PrincipalComponents logs nothing: without a datamodule there are no training") == 1
    assert "test/mse_pca" not in trainer.callback_metrics


def scores_of(devices: int, folder: Path) -> dict[str, float]:
    torch.manual_seed(0)
    data = Digits(batch_size=60 // devices, eval_batch_size=70, seed=0, transform=StochasticBinarisation())
    module = linear(optimizer=partial(torch.optim.SGD, lr=1e-3))
    trainer = Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        max_epochs=1,
        logger=False,
        default_root_dir=folder,
        callbacks=[PrincipalComponents()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, data)
    trained = dict(trainer.callback_metrics)
    trainer.test(module, data, verbose=False)
    scores = {**trained, **trainer.callback_metrics}
    return {name: float(value) for name, value in scores.items() if name != "train/loss_step"}


def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    subprocess.run([sys.executable, __file__, str(file)], check=True, timeout=300, capture_output=True)
    one = scores_of(1, tmp_path)
    assert {"train/loss", "val/nll", "test/mse", "test/mse_pca"} <= one.keys()
    for rank in range(2):
        two = json.loads(file.with_name(f"{file.name}.{rank}").read_text())
        assert two == pytest.approx(one, rel=1e-4)


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = scores_of(2, Path(sys.argv[1]).parent)
    Path(f"{sys.argv[1]}.{torch.distributed.get_rank()}").write_text(json.dumps(found))
