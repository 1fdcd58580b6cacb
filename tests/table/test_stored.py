import json
from pathlib import Path

import pytest

from lightning_vi.errors import UserError
from lightning_vi.table import stored
from lightning_vi.table.stored import Result

RESULT = Result(
    "row", 3, "abcd", {"configs": []}, {"test/error": 1.5}, {"test/error": {5: 2.0, 10: 1.5}}, 10, 99, 0.5, "cpu", "c0"
)


def test_what_is_stored_is_read_back(tmp_path: Path) -> None:
    path = stored.write(RESULT, tmp_path / "new")
    assert path.name == "row-seed3-abcd.json"
    assert stored.read(path) == RESULT
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("damage", ["", "{}", "[]", "null", '{"curves": {}, "more": 1}', '{"curves": {"a": {"x": 1}}}'])
def test_a_file_that_is_no_result_is_told(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(damage)
    with pytest.raises(UserError, match=r"a\.json is not the stored result of its run"):
        stored.read(path)


def test_a_result_of_another_run_is_told(tmp_path: Path) -> None:
    path = stored.write(RESULT, tmp_path)
    with pytest.raises(UserError, match=r"its run is that of row-seed3-abcd\.json"):
        stored.read(path.rename(tmp_path / "row-seed4-abcd.json"))


@pytest.mark.parametrize(("name", "value"), [("epochs", "many"), ("weights", None), ("settings", 3), ("minutes", "1")])
def test_a_field_of_the_wrong_type_is_told(name: str, value: object, tmp_path: Path) -> None:
    path = stored.write(RESULT, tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(UserError, match=rf"{name} \(={value!r}\) is of the wrong type\. Delete it"):
        stored.read(path)


def test_a_missing_field_is_told(tmp_path: Path) -> None:
    path = stored.write(RESULT, tmp_path)
    content = json.loads(path.read_text())
    del content["minutes"]
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="minutes"):
        stored.read(path)
