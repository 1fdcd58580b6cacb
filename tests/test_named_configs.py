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
