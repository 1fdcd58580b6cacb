import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightning_vi.errors import UserError
from lightning_vi.table.rows import Row, Table, complete
from lightning_vi.table.runs import Run, runs_of, stored_runs

ROW = Row("bbb", {"method": "A"}, ["bbb_digits.yaml"], {"trainer.max_epochs": 20}, seeds=(0,))
RESULTS: dict[str, Any] = {
    "scores": {"test/error": 1.23456789},
    "curves": {"val/error": {"1": 3.0}},
    "epochs": 20,
    "weights": 7,
    "parameters": 14,
    "seconds": 90,
    "commit": "c0",
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


def test_lists_that_add_to_others_are_all_in_the_hash() -> None:
    for name, rate in (("a", 1), ("b", 2), ("c", 3)):
        Path(f"{name}.yaml").write_text(f"trainer: {{callbacks+: [{{rate: {rate}}}]}}")
    settings = run(replace(ROW, configs=["a.yaml", "b.yaml"])).settings
    assert settings["trainer.callbacks+"] == [{"rate": 1}, {"rate": 2}]
    assert (
        run(replace(ROW, configs=["a.yaml", "b.yaml"])).config != run(replace(ROW, configs=["c.yaml", "b.yaml"])).config
    )


def test_validations_are_scaled_with_the_epochs() -> None:
    row = replace(ROW, options={"trainer.max_epochs": 80, "trainer.check_val_every_n_epoch": 10})
    assert "--trainer.check_val_every_n_epoch=1" in run(row, scale=0.1).prepare()
    assert "--trainer.check_val_every_n_epoch=10" in run(row).prepare()
    assert not any("check_val" in each for each in run(scale=0.1).prepare())


def test_a_table_reports_final_epochs_alone() -> None:
    with pytest.raises(UserError, match="reports the final epoch"):
        run(replace(ROW, options={"test_checkpoint": "best"})).prepare()


def test_the_packaged_defaults_count_whatever_lies_in_the_folder() -> None:
    Path("trainer.yaml").write_text("name: x")
    Path("none.yaml").write_text("name: x")
    assert run(replace(ROW, options={}, configs=["none.yaml"])).epochs == 20


@pytest.mark.parametrize(
    ("options", "gpus"),
    [
        ({}, 0),
        ({"trainer.accelerator": "cpu", "trainer.devices": 2}, 0),
        ({"trainer.accelerator": "gpu"}, 1),
        ({"trainer.accelerator": "cuda", "trainer.devices": 2}, 2),
    ],
)
def test_gpus_are_those_that_the_trainer_is_told_to_take(options: dict[str, Any], gpus: int) -> None:
    assert run(replace(ROW, options=options)).gpus == gpus


@pytest.mark.parametrize("devices", [[1], -1, "2"])
def test_gpus_that_are_no_number_are_told(devices: object) -> None:
    row = replace(ROW, options={"trainer.accelerator": "gpu", "trainer.devices": devices})
    with pytest.raises(UserError, match=r"t: row 'bbb': trainer.devices \(=.+\) must be a number of GPUs."):
        _ = run(row).gpus


def test_all_stored_seeds_of_a_row_are_found(tmp_path: Path) -> None:
    table = complete(Table("t", "T", "test/error", (ROW,)))
    for seed in (10, 2):
        one = run(seed=seed)
        path = one.folder / "version_0" / "results.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(RESULTS))
        one.store(tmp_path)
    assert [each.seed for each in stored_runs(table, table.rows[0], tmp_path)] == [2, 10]
    assert stored_runs(replace(table, metric="test/x"), table.rows[0], tmp_path) == []
    assert stored_runs(table, replace(ROW, options={"trainer.max_epochs": 9}), tmp_path) == []


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
        run(replace(ROW, options={"trainer.max_epochs": -1})).prepare()


def test_arguments_start_it_and_go_on_with_it() -> None:
    one = run(replace(ROW, options={"model.net.hidden": [8, 8], "data": "Digits", "model.lr_scheduler": None}), seed=4)
    name = f"t/bbb-seed4-{one.config}"
    expected = [
        "fit",
        f"--config=runs/{name}/config_0.yaml",
        "--model.net.hidden=[8, 8]",
        "--data=Digits",
        "--model.lr_scheduler=null",
        "--trainer.max_epochs=60",
        "--seed_everything=4",
        f"--name={name}",
    ]
    assert one.prepare() == expected
    saved = Path("runs") / name / "version_0" / "checkpoints" / "last.ckpt"
    saved.parent.mkdir(parents=True)
    saved.touch()
    assert one.prepare() == [*expected, "--ckpt_path=last"]


@pytest.mark.parametrize(
    "text", ["", '{"scores": ', "<html>", "[]", '{"scores": {}}', json.dumps({**RESULTS, "weights": "many"})]
)
def test_a_run_with_damaged_results_is_not_finished(text: str, tmp_path: Path) -> None:
    path = run().folder / "version_0" / "results.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert run().store(tmp_path / "results") == []
    assert not (tmp_path / "results").exists()


def test_the_newest_results_are_stored(tmp_path: Path) -> None:
    one, results = run(), tmp_path / "results"
    assert one.store(results) == []
    assert one.results(results) == []
    for version in (9, 10):
        path = one.folder / f"version_{version}" / "results.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({**RESULTS, "weights": version}))
    (result,) = one.store(results)
    assert [result] == one.results(results)
    assert (result.scores, result.curves) == ({"test/error": 1.23457}, {"val/error": {1: 3.0}})
    assert (result.weights, result.minutes, result.epochs, result.seed) == (10, 1.5, 20, 0)
    assert result.settings == one.settings
    assert result.commit == "c0"
    assert run(replace(ROW, options={"trainer.max_epochs": 21})).results(results) == []  # another recipe


@pytest.mark.parametrize(
    ("content", "message"), [("a: [", "not valid YAML"), ("- 1", "must be a mapping"), (None, "no such file")]
)
def test_a_configuration_that_cannot_be_read_is_told(content: str | None, message: str) -> None:
    if content is not None:
        Path("x.yaml").write_text(content)
    with pytest.raises(UserError, match=message):
        run(replace(ROW, configs=[f"{'x' if content else 'absent'}.yaml"])).prepare()


def test_several_seeds_are_one_run_and_leave_a_result_each(tmp_path: Path) -> None:
    both = Run("t", ROW, seed=3, members=2)
    assert (both.label, list(both.seeds)) == ("bbb seeds 3 to 4", [3, 4])
    assert both.folder == Path(f"runs/t/bbb-seeds3to4-{both.config}")
    assert both.single() == [run(seed=3), run(seed=4)]
    command = both.prepare()
    assert command[:2] == ["fit", "--model=DeepEnsemble"]
    assert {"--model.members=2", "--trainer.max_epochs=20", "--seed_everything=3"} <= set(command)
    assert not any(each.startswith("--config") for each in command)

    path = both.folder / "version_0" / "results.json"
    path.parent.mkdir(parents=True)
    scores = {"test/error": 9.0, "test/error/0": 1.5, "test/error/1": 2.5}
    path.write_text(json.dumps({**RESULTS, "scores": scores, "weights": 8, "curves": {"val/error/1": {"1": 4.0}}}))
    results = both.store(tmp_path)
    assert results == both.results(tmp_path)
    assert [each.scores for each in results] == [{"test/error": 1.5}, {"test/error": 2.5}]
    assert [each.curves for each in results] == [{}, {"val/error": {1: 4.0}}]
    assert [(each.seed, each.weights, each.minutes, each.together) for each in results] == [
        (3, 4, 0.75, 2),
        (4, 4, 0.75, 2),
    ]
    # As if each had been alone: the same name and settings.
    assert run(seed=4).results(tmp_path) == results[1:]
    assert results[0].settings == run().settings
    (tmp_path / results[0].file_name).unlink()
    assert both.results(tmp_path) == []
