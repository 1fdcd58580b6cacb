"""Which seeds of a row are trained together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lightning_vi.table import ensembles
from lightning_vi.table.runs import Run


def obstacles(runs: Sequence[Run]) -> dict[str, str]:
    """For names of rows with several seeds why these cannot be trained together; what else there is, runs find out."""
    found = {run.row.name: ensembles.obstacle(run.settings) for run in runs if len(run.row.seeds) > 1}
    return {name: reason for name, reason in found.items() if reason is not None}


def together(runs: Sequence[Run], alone: Mapping[str, str], folder: Path) -> list[Run]:
    """The runs of a table, those of consecutive seeds of a row as one.

    A seed that has its result stays for itself: seeds that are added to a row later are trained without the old ones.

    Args:
        runs: Runs of single seeds.
        alone: Rows whose seeds cannot be trained together, see :func:`obstacles`.
        folder: Folder of the stored results.
    """
    for run in (*runs, *_merged(runs)):
        if not run.results(folder):
            run.store(folder)  # it may have ended when nobody was there any more to store all of them
    apart = [run for run in runs if run.row.name in alone or run.results(folder)]
    return [*apart, *_merged([run for run in runs if run not in apart])]


def _merged(runs: Sequence[Run]) -> list[Run]:
    rows = list(dict.fromkeys(run.row.name for run in runs))
    merged: list[Run] = []
    for run in sorted(runs, key=lambda each: (rows.index(each.row.name), each.seed)):
        before = merged[-1] if merged else None
        if before is not None and before.row.name == run.row.name and before.seeds.stop == run.seed:
            merged[-1] = replace(before, members=before.members + 1)
        else:
            merged.append(run)
    return merged
