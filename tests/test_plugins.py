import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from lightning_vi import plugins
from lightning_vi.errors import UserError


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    point = EntryPoint(name="mine", value=name, group=plugins.GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda group: EntryPoints([point]).select(group=group))


def test_imports_the_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, tmp_path, "sound_plugin", "loaded = True")
    plugins.load()
    assert sys.modules["sound_plugin"].loaded


def test_a_broken_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, tmp_path, "broken_plugin", "import does_not_exist")
    with pytest.raises(
        UserError, match=r"^plug-in 'mine' \(broken_plugin\) cannot be imported: .*does_not_exist"
    ) as raised:
        plugins.load()
    assert "\n" not in str(raised.value)
