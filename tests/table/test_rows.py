import re
from dataclasses import replace
from typing import Any

import pytest

from lightning_vi.errors import UserError
from lightning_vi.table.rows import CurvesFigure, Quotation, Row, Table, complete, select


def table(*rows: Row) -> Table:
    return Table("t", "T", "test/error", rows, seeds=(0, 1, 1))


A = Row("bbb-a", {"method": "A"}, ["a.yaml"])
B = Row("bbb-b", {"method": "B"}, ["b.yaml"], seeds=(7,))
C = Row("sgd", {"method": "C"}, ["c.yaml"])


def test_rows_take_the_seeds_of_the_table_each_once() -> None:
    assert [row.seeds for row in complete(table(A, B)).rows] == [(0, 1), (7,)]


def test_a_grid_stands_for_all_its_combinations() -> None:
    grid: dict[str, list[Any]] = {"model.optimizer.lr": [0.1, 0.2], "model.net.hidden": [[8], [8, 8]]}
    rows = complete(table(replace(A, options={"trainer.max_epochs": 2}, grid=grid))).rows
    assert [row.options for row in rows] == [
        {"trainer.max_epochs": 2, "model.optimizer.lr": lr, "model.net.hidden": hidden}
        for lr in (0.1, 0.2)
        for hidden in ([8], [8, 8])
    ]
    assert len({row.name for row in rows}) == 4
    assert rows[0].labels == {"method": "A", "settings": "lr 0.1, hidden [8]"}
    assert not any(row.grid for row in rows)


def test_options_of_a_grid_with_the_same_last_part_are_told_apart() -> None:
    grid = {"model.generator.lr": [1], "model.discriminator.lr": [2]}
    (row,) = complete(table(replace(A, grid=grid))).rows
    assert row.labels["settings"] == "model.generator.lr 1, model.discriminator.lr 2"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (table(A, A), "two rows are called 'bbb-a'"),
        (table(), "there are no rows"),
        (table(replace(A, name="a/b")), "must be fit for a file name"),
        (table(replace(A, name="")), "must be fit for a file name"),
        (table(replace(A, configs=())), "row 'bbb-a' names no configuration"),
        (table(A, replace(B, labels={"units": 1})), "differ from those of row 'bbb-a'"),
        (replace(table(A), quotations=(Quotation({"x": 1}, 1.0),)), "differ from those of row"),
        (replace(table(A), name="a/b"), "must be fit for a file name"),
        (replace(table(A), seeds=()), "seeds (=[]) must be numbers from 0 on"),
        (table(replace(A, seeds=(1, -1))), "row 'bbb-a': seeds (=[1, -1]) must be numbers from 0 on"),
        (table(replace(A, grid={"lr": []})), "grid: lr has no value"),
        (replace(table(A), figure=CurvesFigure("f.xyz", "", "c", ("bbb-a",))), "file 'f.xyz' must end in .png"),
        (replace(table(A), examples=0), "examples (=0) must be positive"),
        (replace(table(A), figure=CurvesFigure("f.png", "", "c", ("bbb-x",))), "no row 'bbb-x'. Did you mean 'bbb-a'?"),
    ],
)
def test_contradictions_are_refused(wrong: Table, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        complete(wrong)


def test_selection_by_pattern_and_seed() -> None:
    whole = complete(table(A, B, C))
    assert select(whole, [], []) == whole
    chosen = select(whole, ["bbb-*"], [3, 3, 4])
    assert [(row.name, row.seeds) for row in chosen.rows] == [("bbb-a", (3, 4)), ("bbb-b", (3, 4))]
    with pytest.raises(UserError, match=r"--rows bbb-c: no row of t matches. Did you mean"):
        select(whole, ["sgd", "bbb-c"], [])
