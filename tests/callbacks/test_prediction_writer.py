import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.demos.boring_classes import BoringModel, RandomDataset
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.callbacks import PredictionWriter
from lightning_vi.callbacks.prediction_writer import columns, positions
from lightning_vi.codes import Codes
from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Bernoulli, Categorical
from lightning_vi.modules import BayesByBackprop
from lightning_vi.predictive import Predictive

UNCERTAINTIES = ["entropy", "expected_entropy", "mutual_information"]
MOMENTS = ["mean", "standard_deviation", "epistemic_standard_deviation", "aleatoric_standard_deviation"]
FILE = "runs/test/version_0/predictions.csv"


def read(file: Path) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def test_writes_classes_in_the_order_of_the_data(
    tmp_path: Path,
    make_trainer: Callable[..., Trainer],
    classification: tuple[BayesByBackprop, LightningDataModule],
) -> None:
    module, data = classification
    writer = PredictionWriter()
    make_trainer(writer).predict(module, data, return_predictions=False)
    table = read(tmp_path / FILE)
    x, _ = data.predict_dataloader().dataset.tensors
    predictive = module.predictive(x)
    assert list(table) == ["id", "predicted", *(f"p_{k}" for k in range(10)), *UNCERTAINTIES]
    np.testing.assert_array_equal(table["id"], np.arange(len(x)))
    probabilities = np.stack([table[f"p_{k}"] for k in range(10)], axis=1)
    np.testing.assert_allclose(probabilities, predictive.probabilities, rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(table["predicted"], predictive.probabilities.argmax(dim=-1))
    np.testing.assert_allclose(table["entropy"], predictive.entropy, rtol=1e-4)
    np.testing.assert_allclose(table["mutual_information"], predictive.mutual_information, atol=1e-5)
    assert writer.path == tmp_path / FILE
    assert [file.name for file in (tmp_path / FILE).parent.glob("predictions*")] == ["predictions.csv"]


def test_writes_moments_and_interval_of_a_regression(
    tmp_path: Path,
    make_trainer: Callable[..., Trainer],
    regression: tuple[BayesByBackprop, LightningDataModule],
) -> None:
    module, data = regression
    make_trainer(PredictionWriter()).predict(module, data, return_predictions=False)
    table = read(tmp_path / FILE)
    x, _ = data.predict_dataloader().dataset.tensors
    predictive = module.predictive(x)
    assert list(table) == ["id", *MOMENTS, "quantile_05", "quantile_95"]
    for name, variance in (("epistemic", predictive.epistemic_variance), ("aleatoric", predictive.aleatoric_variance)):
        np.testing.assert_allclose(table[f"{name}_standard_deviation"] ** 2, variance.flatten(), rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(table["mean"], predictive.mean.flatten(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(table["standard_deviation"], predictive.variance.sqrt().flatten(), rtol=1e-4)
    low, high = predictive.quantiles([0.05, 0.95]).flatten(1)
    np.testing.assert_allclose(table["quantile_05"], low, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(table["quantile_95"], high, rtol=1e-4, atol=1e-6)


def test_positions_follow_the_sampler_of_a_torch_loader(
    tmp_path: Path,
    make_trainer: Callable[..., Trainer],
    classification: tuple[BayesByBackprop, LightningDataModule],
) -> None:
    module, data = classification
    data.setup("predict")
    x, y = data.predict_dataloader().dataset.tensors
    order = [5, 3, 11, 0, 7]
    loader = DataLoader(TensorDataset(x, y), batch_size=2, sampler=order, num_workers=0)
    make_trainer(PredictionWriter()).predict(module, loader, return_predictions=False)
    table = read(tmp_path / FILE)
    assert table["id"].tolist() == order
    np.testing.assert_allclose(table["p_3"], module.predictive(x[order]).probabilities[:, 3], rtol=1e-4)


def test_columns_of_several_dimensions() -> None:
    outputs = torch.randn(3, 4, 2)
    table = columns(Predictive(Bernoulli(), outputs))
    assert list(table) == [f"{name}_{d}" for name in MOMENTS for d in range(2)]
    np.testing.assert_array_equal(table["mean_1"], outputs.sigmoid().mean(dim=0)[:, 1])


def test_classes_are_called_by_their_labels() -> None:
    predictive = Predictive(Categorical(), torch.tensor([[[0.0, 9.0], [9.0, 0.0]]]))
    for labels in (("no, thanks", "yes"), (7, 3)):
        table = columns(predictive, labels)
        assert list(table) == ["predicted", *(f"p_{label}" for label in labels), *UNCERTAINTIES]
        assert table["predicted"].to_pylist() == [labels[1], labels[0]]


def test_refuses_a_file_of_another_kind(tmp_path: Path) -> None:
    for output, told in (("a.txt", r"must end in \.csv or \.parquet"), (f"{tmp_path}", "must end in")):
        with pytest.raises(UserError, match=told):
            PredictionWriter(output)


def test_columns_of_codes() -> None:
    scores = {"elbo": torch.randn(3), "reconstruction": torch.rand(3)}
    table = columns(Codes(torch.randn(3, 2), torch.rand(3, 2), scores))
    assert list(table) == ["code_0", "code_1", "standard_deviation_0", "standard_deviation_1", "elbo", "reconstruction"]
    assert list(columns(Codes(torch.randn(3, 1), None, {}))) == ["code_0"]


def test_a_failed_run_keeps_the_older_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_trainer: Callable[..., Trainer],
    classification: tuple[BayesByBackprop, LightningDataModule],
) -> None:
    module, data = classification
    make_trainer(PredictionWriter(), logger=False).predict(module, data, return_predictions=False)
    whole = (tmp_path / "predictions.csv").read_text()

    def fail(batch: Any, batch_idx: int) -> Predictive:
        if batch_idx == 2:
            raise RuntimeError("broken")
        return module.predictive(batch[0])

    monkeypatch.setattr(module, "predict_step", fail)
    with pytest.raises(RuntimeError, match="broken"):
        make_trainer(PredictionWriter(), logger=False).predict(module, data, return_predictions=False)
    assert (tmp_path / "predictions.csv").read_text() == whole
    assert [file.name for file in tmp_path.glob("predictions*")] == ["predictions.csv"]


def test_refuses_what_it_cannot_number() -> None:
    with pytest.raises(UserError, match=r"loader \(=list\) does not tell"):
        positions([], 0)


def test_says_once_that_a_module_predicts_no_distribution(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make_trainer: Callable[..., Trainer]
) -> None:
    loader = DataLoader(RandomDataset(32, 4), batch_size=2)
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        make_trainer(PredictionWriter(), logger=False).predict(BoringModel(), loader, return_predictions=False)
    assert caplog.text.count("PredictionWriter writes nothing: BoringModel gives neither a") == 1
    assert not list(tmp_path.rglob("predictions*"))
