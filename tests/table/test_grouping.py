import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from lightning_vi.table.grouping import obstacles, together
from lightning_vi.table.rows import Row, Table
from lightning_vi.table.runs import Run, runs_of

CONTENT = {"curves": {}, "epochs": 2, "weights": 3, "seconds": 6, "device": "d", "commit": "c"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def row(name: str, *seeds: int, config: str = "bbb_digits.yaml") -> Row:
    return Row(name, {"method": name}, [config], seeds=seeds)


def runs(*rows: Row) -> list[Run]:
    return runs_of(Table("t", "T", "test/error", rows))


def labels(found: Sequence[Run]) -> list[str]:
    return [each.label for each in found]


def finish(run: Run) -> None:
    scores = {"m": 1.0, **{f"m/{member}": 1.0 for member in range(run.members)}}
    path = run.folder / "version_0" / "results.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({**CONTENT, "scores": scores}))


def test_consecutive_seeds_of_a_row_are_one_run(tmp_path: Path) -> None:
    found = together(runs(row("b", 2, 0, 1, 7, 9, 8), row("a", 0), row("c", 3, 4)), {}, tmp_path)
    assert labels(found) == ["b seeds 0 to 2", "b seeds 7 to 9", "a seed 0", "c seeds 3 to 4"]


def test_rows_that_cannot_be_are_left_as_they_are(tmp_path: Path) -> None:
    given = runs(row("vae", 0, 1, config="vae_digits.yaml"), row("one", 0, config="vae_digits.yaml"), row("b", 0, 1))
    found = obstacles(given)
    assert found == {"vae": "model (=VAE) must be PointEstimate or BayesByBackprop."}
    assert labels(together(given, found, tmp_path)) == ["vae seed 0", "vae seed 1", "one seed 0", "b seeds 0 to 1"]


def test_seeds_with_results_stay_for_themselves(tmp_path: Path) -> None:
    given = runs(row("b", 0, 1, 2, 3))
    finish(given[0])
    given[0].store(tmp_path)
    assert labels(together(given, {}, tmp_path)) == ["b seed 0", "b seeds 1 to 3"]
    finish(given[2])  # and is not stored yet
    assert labels(together(given, {}, tmp_path)) == ["b seed 0", "b seed 2", "b seed 1", "b seed 3"]


def test_what_a_finished_run_has_left_half_stored_is_stored(tmp_path: Path) -> None:
    given = runs(row("b", 0, 1, 2))
    whole = Run("t", given[0].row, 0, members=3)
    finish(whole)
    first, *_ = whole.store(tmp_path)
    for each in list(tmp_path.glob("*.json")):
        if each.name != first.file_name:
            each.unlink()
    assert labels(together(given, {}, tmp_path)) == ["b seed 0", "b seed 1", "b seed 2"]
    assert len(whole.results(tmp_path)) == 3
