import re
import sys

import pytest

from lightning_vi.text_table import Column, markdown, show

COLUMNS = [Column("a|b", ["[red]", "longer"], is_number=False), Column("n", ["1", "1,234"]), Column("m", ["0.5", ""])]
PLAIN = [Column("", ["a", "longer"], is_number=False), Column("", ["1", "2"], is_number=False)]


def drawn(title: str, columns: list[Column], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Lines on a terminal of 60 columns, without their colours."""
    # Not in a fixture, which has another stdout than its test.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.stdout, "isatty", lambda: True)
        patch.setenv("COLUMNS", "60")
        show(title, columns)
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


def test_aligned_lines_without_blanks_at_their_ends(capsys: pytest.CaptureFixture[str]) -> None:
    show("A [title]", COLUMNS)
    assert capsys.readouterr().out == "A [title]\n  a|b         n    m\n  [red]       1  0.5\n  longer  1,234\n"


def test_without_headings_there_is_no_line_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    show("title", PLAIN)
    assert capsys.readouterr().out == "title\n  a       1\n  longer  2\n"


@pytest.mark.parametrize("columns", [[], [Column("", [])]])
def test_nothing_is_its_title(columns: list[Column], capsys: pytest.CaptureFixture[str]) -> None:
    show("title", columns)
    assert capsys.readouterr().out == "title\n"


def test_drawn_on_a_terminal_with_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    lines = drawn("A [title]", COLUMNS, capsys)
    assert lines[0].strip() == "A [title]"
    assert lines[2:-1] == [
        "┃ a|b    ┃     n ┃   m ┃",
        "┡━━━━━━━━╇━━━━━━━╇━━━━━┩",
        "│ [red]  │     1 │ 0.5 │",
        "│ longer │ 1,234 │     │",
    ]


def test_drawn_without_headings(capsys: pytest.CaptureFixture[str]) -> None:
    assert drawn("title", PLAIN, capsys)[1:] == [
        "┌────────┬───┐",
        "│ a      │ 1 │",
        "│ longer │ 2 │",
        "└────────┴───┘",
    ]


def test_a_narrow_terminal_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    lines = drawn("title", [Column("path", ["folder/" * 40], is_number=False)], capsys)
    assert max(map(len, lines)) == 60
    assert "".join(line.strip("│ ") for line in lines[4:-1]) == "folder/" * 40


def test_markdown() -> None:
    assert markdown(COLUMNS).splitlines() == [
        "| a\\|b | n | m |",
        "| --- | ---: | ---: |",
        "| [red] | 1 | 0.5 |",
        "| longer | 1,234 |  |",
    ]


def test_columns_must_be_of_one_length() -> None:
    with pytest.raises(ValueError, match="longer"):
        markdown([Column("a", ["1"]), Column("b", ["1", "2"])])
