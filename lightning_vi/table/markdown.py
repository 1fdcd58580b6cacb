"""A table's report in Markdown."""

from collections.abc import Sequence

from lightning_vi import text_table
from lightning_vi.table.aggregate import Aggregate, Results, aggregate, missing, rows_with_curve
from lightning_vi.table.cells import ONE_SEED, comparison, decimals, details, figure, heading
from lightning_vi.table.rows import Table
from lightning_vi.text_table import Column


def markdown(table: Table, results: Results, command: str) -> str:
    """The report: how to read it, a line per row, what is missing, and all runs.

    Args:
        table: The table.
        results: The results of its rows, by ascending seed; of rows and seeds without, it says so.
        command: The command that makes the report.
    """
    aggregates = aggregate(table, results)
    parts = [
        f"# {table.title}",
        _reading(table, aggregates),
        f"Made by `{command}`.",
        text_table.markdown([*comparison(table, aggregates), *details(table, aggregates)]),
        *summary(table, results, aggregates),
        "## Runs",
        _runs(table, results),
        *_together(aggregates),
        *_devices(aggregates),
    ]
    return "\n\n".join(parts) + "\n"


def summary(table: Table, results: Results, aggregates: Sequence[Aggregate]) -> list[str]:
    """Sentences below the table: how many rows reach the paper's figures, what the picture lacks, what is missing."""
    sentences = []
    compared = [each for each in aggregates if each.difference is not None]
    if compared:
        side, distance = ("above", "shortfall") if table.higher_is_better else ("below", "excess")
        reached = sum(each.reaches_paper for each in compared)
        text = f"{reached} of {len(compared)} rows at or {side} the paper's figure"
        if reached < len(compared):
            largest, name = max(
                (each.difference.deficit, each.row.name)
                for each in compared
                if each.difference is not None and not each.reaches_paper
            )
            unit = f" {table.unit}" if table.unit else ""
            text += f"; largest {distance} {largest:.{decimals(table, aggregates)}f}{unit} ({name})"
        sentences.append(f"{text}.")
    drawn, left_out = rows_with_curve(table, results)
    if table.figure is not None and left_out:
        names = ", ".join(row.name for row in left_out)
        text = f"{table.figure.file} leaves out {names}" if drawn else f"No {table.figure.file} of {names}"
        sentences.append(f"{text}: no curve {table.figure.curve}.")
    absent = missing(table, results)
    if absent:
        parts = []
        for name, seeds in absent.items():
            parts.append(f"{name} (seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))})")
        sentences.append(f"Missing: {'; '.join(parts)}.")
    return sentences


def _reading(table: Table, aggregates: Sequence[Aggregate]) -> str:
    unit = f" in {table.unit}" if table.unit else ""
    places = decimals(table, aggregates)
    text = [
        f"`{table.metric}`{unit}, {'higher' if table.higher_is_better else 'lower'} is better: "
        "mean ± standard deviation over seeds (number of seeds), "
        f"rounded to {10.0**-places:.{places}f} here and to 4 significant digits in `{table.name}.csv`."
    ]
    if table.protocol:
        text.append(f"Protocol: {table.protocol}.")
    if any(each.posterior_mean is not None for each in aggregates):
        text.append("*At posterior mean*: the same score of the network whose weights are the posterior's means.")
    if table.source:
        text.append(f"*Paper* quotes {table.source}.")
    compared = [each for each in aggregates if each.difference is not None]
    if compared:
        text.append(_uncertainty(table, compared))
        if any(each.std is None for each in compared):
            text.append(f"{ONE_SEED} One seed: the spread between seeds is unknown and left out.")
    return " ".join(text)


def _uncertainty(table: Table, compared: Sequence[Aggregate]) -> str:
    text = (
        "*Ours − paper* stands with its standard error, and counts as better or worse beyond two of them. That error "
        "adds in squares the standard error of our mean, our standard deviation once more, since the paper's figure "
        "counts as one run with our spread"
    )
    if table.examples is None:
        text = f"{text}; that of a finite test set is not in it"
        if any(len(each.runs) in (2, 3) for each in compared):
            # The quantiles of 97.5 % with 1 and 2 degrees of freedom.
            return f"{text}, and with 2 or 3 seeds two of them are a low bar: Student's t asks for 12.7 or 4.3."
        return f"{text}."
    return (
        f"{text}, and the binomial standard errors of both rates on {table.examples:,} test examples. "
        "Where both used the same test examples, independent binomial errors overstate it: the verdicts are cautious."
    )


def _runs(table: Table, results: Results) -> str:
    runs = [run for row in table.rows for run in results.get(row.name, ())]
    columns = [
        Column("row", [run.row for run in runs], is_number=False),
        Column("seed", [str(run.seed) for run in runs]),
        Column(heading(table.metric, table.unit), [figure(run.scores[table.metric]) for run in runs]),
    ]
    if table.validation is not None:
        scores = [figure(run.scores.get(table.validation)) for run in runs]
        columns.append(Column(heading(table.validation, table.unit), scores))
    columns += [
        Column("minutes", [figure(run.minutes, 3) for run in runs]),
        Column("commit", [run.commit for run in runs], is_number=False),
    ]
    return text_table.markdown(columns) if runs else "None yet."


def _together(aggregates: Sequence[Aggregate]) -> list[str]:
    rows = {each.row.name: [str(run.seed) for run in each.runs if run.together > 1] for each in aggregates}
    names = [f"{name} (seeds {', '.join(seeds)})" for name, seeds in rows.items() if seeds]
    return [f"Trained together, with equal parts of the time: {'; '.join(names)}."] if names else []


def _devices(aggregates: Sequence[Aggregate]) -> list[str]:
    devices = dict.fromkeys(run.device for each in aggregates for run in each.runs)
    return [f"Run on: {'; '.join(devices)}."] if devices else []
