import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightning_vi.errors import UserError
from lightning_vi.table.rows import Row, Table, complete
from lightning_vi.table.runs import Run, runs_of

ROW = Row("bbb", {"method": "A"}, ["bbb_digits.yaml"], {"trainer.max_epochs": 20}, seeds=(0,))
RESULTS: dict[str, Any] = {
    "scores": {"test/error": 1.23456789},
    "curves": {"val/error": {"1": 3.0}},
    "epochs": 20,
    "weights": 7,
    "parameters": 14,
    "seconds": 90,
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(row: Row = ROW, seed: int = 0, scale: float = 1.0) -> Run:
    return Run("t", row, seed, scale)


def test_seeds_take_turns_over_rows() -> None:
    a, b = replace(ROW, name="a", seeds=(0, 1)), replace(ROW, name="b", seeds=(5,))
    runs = runs_of(complete(Table("t", "T", "m", (a, b))))
    assert [(each.row.name, each.seed) for each in runs] == [("a", 0), ("b", 5), ("a", 1)]


def test_the_hash_is_that_of_what_is_trained(tmp_path: Path) -> None:
    Path("a.yaml").write_text("name: one\nmodel: {class_path: M, init_args: {x: 1, y: 2}}\n")
    Path("b.yaml").write_text("# A comment.\nmodel: {init_args: {y: 2, x: 1}, class_path: M}\nname: another\n")
    Path("c.yaml").write_text("name: one\nmodel: {class_path: M, init_args: {x: 1, y: 3}}\n")
    a, b, c = (run(replace(ROW, configs=[f"{name}.yaml"])).config for name in "abc")
    assert a == b != c
    assert run(seed=1).config == run().config  # the file's name has the seed
    assert run(replace(ROW, options={"trainer.max_epochs": 21})).config != run().config
    assert run(scale=0.5).config != run().config
    # The same by an option or by another file.
    Path("over.yaml").write_text("trainer: {max_epochs: 20}")
    assert run(replace(ROW, options={}, configs=["bbb_digits.yaml", "over.yaml"])).config == run().config


def test_settings_have_the_names_of_their_options() -> None:
    Path("a.yaml").write_text(
        "name: one\n"
        "model: {class_path: M, init_args: {net: {class_path: MLP, init_args: {hidden: [4]}}, lr: 1}}\n"
        "data: Digits\n"
    )
    row = replace(ROW, configs=["a.yaml"], options={"model.lr": 2, "model.net.hidden": [8, 8]})
    assert run(row).settings == {
        "model": "M",
        "model.net": "MLP",
        "model.net.hidden": [8, 8],
        "model.lr": 2,
        "data": "Digits",
        "trainer.max_epochs": 20,
    }


def test_epochs_are_the_last_given(tmp_path: Path) -> None:
    assert run().epochs == 20
    assert run(scale=0.25).epochs == 5
    assert run(scale=0.001).epochs == 1
    assert run(replace(ROW, options={})).epochs == 60  # bbb_digits.yaml
    Path("over.yaml").write_text("trainer: {max_epochs: 3}")
    assert run(replace(ROW, options={}, configs=["bbb_digits.yaml", "over.yaml"])).epochs == 3
    Path("none.yaml").write_text("name: x")
    assert run(replace(ROW, options={}, configs=["none.yaml"])).epochs == 20  # trainer.yaml
    with pytest.raises(UserError, match=r"bbb: trainer.max_epochs \(=-1\)"):
        run(replace(ROW, options={"trainer.max_epochs": -1})).epochs  # noqa: B018


def test_arguments_start_it_and_go_on_with_it() -> None:
    one = run(replace(ROW, options={"model.net.hidden": [8, 8], "data": "Digits", "model.lr_scheduler": None}), seed=4)
    name = f"t/bbb-seed4-{one.config}"
    expected = [
        "fit",
        "--config=bbb_digits.yaml",
        "--model.net.hidden=[8, 8]",
        "--data=Digits",
        "--model.lr_scheduler=null",
        "--trainer.max_epochs=60",
        "--seed_everything=4",
        f"--name={name}",
    ]
    assert one.arguments() == expected
    saved = Path("runs") / name / "version_0" / "checkpoints" / "last.ckpt"
    saved.parent.mkdir(parents=True)
    saved.touch()
    assert one.arguments() == [*expected, "--ckpt_path=last"]


def test_the_newest_results_are_stored(tmp_path: Path) -> None:
    one, results = run(), tmp_path / "results"
    assert one.store(results) is None
    assert one.result(results) is None
    for version in (0, 1):
        path = one.folder / f"version_{version}" / "results.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({**RESULTS, "weights": version}))
    result = one.store(results)
    assert result is not None
    assert result == one.result(results)
    assert (result.scores, result.curves) == ({"test/error": 1.23457}, {"val/error": {1: 3.0}})
    assert (result.weights, result.minutes, result.epochs, result.seed) == (1, 1.5, 20, 0)
    assert result.settings == one.settings
    assert run(replace(ROW, options={"trainer.max_epochs": 21})).result(results) is None  # another recipe


@pytest.mark.parametrize(
    ("content", "message"), [("a: [", "not valid YAML"), ("- 1", "must be a mapping"), (None, "no such file")]
)
def test_a_configuration_that_cannot_be_read_is_told(content: str | None, message: str) -> None:
    if content is not None:
        Path("x.yaml").write_text(content)
    with pytest.raises(UserError, match=message):
        run(replace(ROW, configs=[f"{'x' if content else 'absent'}.yaml"])).config  # noqa: B018
