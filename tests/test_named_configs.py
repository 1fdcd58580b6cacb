from pathlib import Path

import pytest

from lightning_vi import named_configs
from lightning_vi.errors import UserError

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_packaged_are_those_of_the_folder() -> None:
    folder = ROOT / "configs"
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))
    assert sorted(named_configs.packaged()) == names
    assert {"bbb_mnist.yaml", "table1/sgd_400.yaml"} <= set(names)
    assert named_configs.DEFAULTS in named_configs.packaged()


def test_all_describe_themselves() -> None:
    for path in named_configs.packaged().values():
        assert path.read_text().startswith("# ")
        assert named_configs.description(path)


def test_finds_the_packaged_one_from_any_folder() -> None:
    assert named_configs.find("bbb_mnist.yaml").read_text() == (ROOT / "configs" / "bbb_mnist.yaml").read_text()


def test_a_file_of_that_name_wins(tmp_path: Path) -> None:
    own = tmp_path / "bbb_mnist.yaml"
    own.write_text("name: mine")
    assert named_configs.find("bbb_mnist.yaml").resolve() == own


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bbb_mnits.yaml", "Did you mean 'bbb_mnist.yaml'?"),
        ("bbb_mnist", "Did you mean 'bbb_mnist.yaml'?"),
        ("table1/sgd_40.yaml", "Did you mean 'table1/sgd_400.yaml'?"),
        ("mien.yaml", "Did you mean 'mine.yaml'?"),
        ("folder/one.yaml", "has that name. Packaged:"),
        ("zzz.yaml", "Packaged: ae_digits.yaml"),
        ("folder", "a folder"),
    ],
)
def test_a_wrong_name_gives_the_nearest(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"^--config") as raised:
        named_configs.find(name)
    assert message in str(raised.value)


def test_an_option_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("trainer:\n  max_epochs: 1\ndata: [{a: 1}, {a: 2}]\ntrainer:\n  devices: 1\n")
    with pytest.raises(UserError, match=r"twice\.yaml: line 4: 'trainer' is given twice"):
        named_configs.require_unique_keys(path)


def test_shipped_ones_give_nothing_twice() -> None:
    for path in named_configs.packaged().values():
        named_configs.require_unique_keys(path)


@pytest.mark.parametrize(
    "text", ["date: 2020-13-45", "a: \0", "a: " + "[" * 3000, "a: " + "9" * 5000, "a: [", "a: &b [*b"]
)
def test_what_the_reader_of_yaml_may_raise_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"own\.yaml: not valid YAML: .*Correct it"):
        named_configs.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("? [a, b]\n: 1", "line 1: the name of an option must be a word"), ("a: &b [*b]", "nested too deeply")],
)
def test_options_that_are_none_are_told(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"own\.yaml: .*{message}"):
        named_configs.read(path)


def test_tables_are_told_from_runs(tmp_path: Path) -> None:
    tables = {name for name, path in named_configs.packaged().items() if named_configs.is_table(path)}
    assert tables == {"table1.yaml", "table1_grid.yaml", "table1_paper.yaml", "table1_paper_grid.yaml"}
    (tmp_path / "broken.yaml").write_text("rows: [")
    assert not named_configs.is_table(tmp_path / "broken.yaml")
