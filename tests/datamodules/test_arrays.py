from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from lightning_vi.datamodules import Arrays, ByColumn, ByFile, Divide, Fractions
from lightning_vi.errors import UserError
from tests.own_files import FEATURES, cancer, diabetes, write

ALL: dict[str, Any] = {"target": "diagnosis", "id": "patient", "batch_size": 16}


def ready(data: Arrays) -> Arrays:
    data.setup()
    return data


def ids(data: Arrays) -> list[Any]:
    return [each for batch in data.predict_dataloader() for each in batch.ids.tolist()]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_is_what_scikit_learn_has(suffix: str, tmp_path: Path) -> None:
    data = ready(Arrays(str(write(cancer(), tmp_path / f"cancer.{suffix}")), **ALL))
    truth = load_breast_cancer()
    assert data.input_shape == (FEATURES,)
    assert (data.target_size, data.classes) == (2, ("benign", "malignant"))
    training, validation, test = data.splits()
    assert [len(split) for split in (training, validation, test)] == [398, 57, 114]
    rows = [int(name.removeprefix("patient ")) for name in ids(data)]
    others = np.setdiff1d(np.arange(569), rows)
    scaler = StandardScaler().fit(truth.data[others, :FEATURES])  # validation rows, too: nearly the training's
    np.testing.assert_allclose(test.tensors[0], scaler.transform(truth.data[rows, :FEATURES]), atol=0.2)
    np.testing.assert_array_equal(test.tensors[1], truth.target[rows] == 0)
    x = training.tensors[0].double()
    np.testing.assert_allclose(x.mean(dim=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(x.std(dim=0, correction=0), 1.0, atol=1e-6)


def test_csv_and_parquet_are_the_same_data(tmp_path: Path) -> None:
    tables = [ready(Arrays(str(write(cancer(), tmp_path / name)), **ALL)) for name in ("a.csv", "a.parquet")]
    assert tables[0].learned == tables[1].learned
    for first, second in zip(*(each.splits() for each in tables), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first.tensors, second.tensors, strict=True))


def test_columns_of_a_prediction_stand_in_any_order_and_are_scaled_as_in_training(tmp_path: Path) -> None:
    trained = ready(Arrays(str(write(cancer(), tmp_path / "cancer.csv")), **ALL))
    new = cancer(slice(0, 50))
    write(new.select(sorted(new.column_names, reverse=True)), tmp_path / "new.csv")
    data = Arrays("not there any more.csv", **ALL, predict=str(tmp_path / "new.csv"), eval_batch_size=7)
    data.load_state_dict(trained.state_dict())
    data.setup("predict")
    batches = list(data.predict_dataloader())
    raw = torch.from_numpy(load_breast_cancer().data[:50, :FEATURES])
    assert torch.equal(torch.cat([batch.inputs for batch in batches]), trained.learned.scaling(raw))
    assert ids(data) == [f"patient {number}" for number in range(50)]
    assert [batch.first for batch in batches] == list(range(0, 50, 7))
    assert data.input_shape == (FEATURES,)


def test_a_regression_keeps_its_targets(tmp_path: Path) -> None:
    path = str(write(diabetes(), tmp_path / "diabetes.csv"))
    data = ready(Arrays(path, "progression", task="regression", split=Fractions(validation=0, test=0.5)))
    training, validation, test = data.splits()
    assert (data.target_size, data.classes, len(validation)) == (1, None, 0)
    expected = diabetes()["progression"].to_numpy()
    np.testing.assert_allclose(test.tensors[1][:, 0], expected[ids(data)])
    np.testing.assert_allclose(
        sorted(torch.cat([training.tensors[1], test.tensors[1]]).flatten().tolist()), sorted(expected)
    )


def test_arrays_of_any_shape(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 1, 4, 4), dtype=np.uint8)
    labels = np.arange(30) % 3 + 5
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "images.npz", x=pixels, y=labels, name=np.array([f"i{k}" for k in range(30)]))
        data = ready(Arrays(str(tmp_path / "images.npz"), "y", id="name", scaling=Divide(255.0), batch_size=8))
        assert (data.input_shape, data.classes) == ((1, 4, 4), (5, 6, 7))
        rows = [int(name[1:]) for name in ids(data)]
        test = data.splits().test
        np.testing.assert_allclose(test.tensors[0], pixels[rows] / 255, rtol=1e-6)
        np.testing.assert_array_equal(test.tensors[1], labels[rows] - 5)


def test_a_column_or_files_split(tmp_path: Path) -> None:
    table = cancer(slice(0, 60))
    parts = ["train"] * 30 + ["val"] * 10 + ["test"] * 20
    whole = write(table.append_column("split", [parts]), tmp_path / "whole.csv")
    by_column = ready(Arrays(str(whole), **ALL, split=ByColumn()))
    files = {name: str(write(table.slice(*place), tmp_path / f"{name}.csv")) for name, place in PLACES.items()}
    split = ByFile(test=files["test"], validation=files["val"])
    by_file = ready(Arrays(files["train"], **ALL, split=split))
    assert by_column.learned == by_file.learned
    assert ids(by_column) == ids(by_file) == [f"patient {number}" for number in range(40, 60)]
    assert [len(each) for each in by_file.splits()] == [30, 10, 20]


PLACES = {"train": (0, 30), "val": (30, 10), "test": (40, 20)}


def test_a_checkpoints_classes_and_scaling_win_where_a_file_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "cancer.csv"
    state = ready(Arrays(str(write(cancer(), path)), **ALL)).state_dict()
    write(cancer(slice(100, 400)), path)
    data = ready(Arrays(str(path), **ALL))
    changed = data.learned
    data.load_state_dict(state)
    assert data.learned.state_dict() == state["learned"] != changed.state_dict()
    assert data.splits().training.tensors[0].mean(dim=0).abs().max() > 1e-3


def test_a_constant_feature_is_left_at_0(tmp_path: Path) -> None:
    table = cancer(slice(0, 100)).append_column("one", [[0.1] * 100])
    data = ready(Arrays(str(write(table, tmp_path / "a.csv")), **ALL))
    assert data.splits().training.tensors[0][:, -1].abs().max() < 1e-6


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"delimiter": ";;"}, "delimiter"),
        ({"features": []}, r"features \(=\[\]\) must name"),
        ({"features": ["diagnosis"]}, "'diagnosis' is named twice"),
        ({"batch_size": 0}, r"batch_size \(=0\)"),
    ],
)
def test_mistakes(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        Arrays("a.csv", **{**ALL, **options})
