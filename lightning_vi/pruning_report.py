"""What `prune` leaves: scores by weights removed on the terminal, as CSV, Markdown and figure; and a checkpoint."""

import csv
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from lightning_vi import plots
from lightning_vi.pruning_curve import Pruned
from lightning_vi.summary import LABELS


@dataclass(frozen=True)
class PruningReport:
    """Scores against weights removed.

    Args:
        title: Which model on which data, with how many draws.
        weights: Number n of random weights.
        curve: The scores.
        headline: Name of the score that the model is judged by.
        published: For numbers of weights removed, that score as published elsewhere.
    """

    title: str
    weights: int
    curve: Sequence[Pruned]
    headline: str
    published: Mapping[int, float]

    def write(self, folder: Path) -> None:
        """Write `pruning.csv` and `pruning.md`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._write_csv(folder / "pruning.csv")
        self._write_markdown(folder / "pruning.md")

    def _write_csv(self, path: Path) -> None:
        """All scores: by name those of averaged draws, with `_mean` those at the posterior mean; nats, percent."""
        lines = [
            {
                "fraction_removed": f"{point.removed / self.weights:.6g}",
                "weights_left": str(self.weights - point.removed),
                **{name: f"{value:.6g}" for name, value in point.drawn.items()},
                **{f"{name}_mean": f"{value:.6g}" for name, value in point.at_mean.items()},
                **self._published(point, f"published_{self.headline}", "{:.6g}"),
            }
            for point in self.curve
        ]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, lines[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)

    def _write_markdown(self, path: Path) -> None:
        """The table of the terminal."""
        rows = self._rows()
        lines = [list(rows[0]), ["---:"] * len(rows[0]), *(list(row.values()) for row in rows)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        path.write_text(f"{self.title}\n\n{table}\n", encoding="utf-8")

    def show(self) -> None:
        """Print the table: drawn on a terminal, aligned lines elsewhere."""
        rows = self._rows()
        if sys.stdout.isatty():
            table = Table(title=self.title, title_justify="left", title_style="bold")
            for heading in rows[0]:
                table.add_column(heading, justify="right")
            for row in rows:
                table.add_row(*row.values())
            Console().print(table)
        else:
            lines = [list(rows[0]), *(list(row.values()) for row in rows)]
            widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
            padded = ([cell.rjust(width) for cell, width in zip(line, widths, strict=True)] for line in lines)
            print("\n".join([self.title, *(f"  {'  '.join(line)}" for line in padded)]))

    def figure(self) -> Figure:
        """The headline score against the fraction removed."""
        label, form = _label(self.headline)
        unit = form.rpartition("}")[2].strip()
        return plots.pruning_curve(
            [point.removed / self.weights for point in self.curve],
            {
                "posterior mean": [point.at_mean[self.headline] for point in self.curve],
                "draws averaged": [point.drawn[self.headline] for point in self.curve],
            },
            {removed / self.weights: value for removed, value in self.published.items()},
            f"Test {label}{f' ({unit})' if unit else ''}",
        )

    def _rows(self) -> list[dict[str, str]]:
        label, form = _label(self.headline)
        nll, nll_form = _label("nll")
        return [
            {
                "removed": f"{100 * point.removed / self.weights:.4g} %",
                "weights left": f"{self.weights - point.removed:,}",
                f"test {label}, draws averaged": form.format(point.drawn[self.headline]),
                f"test {label}, posterior mean": form.format(point.at_mean[self.headline]),
                f"test {nll}": nll_form.format(point.drawn["nll"]),
                **self._published(point, f"test {label}, published", form),
            }
            for point in self.curve
        ]

    def _published(self, point: Pruned, name: str, form: str) -> dict[str, str]:
        """A column that is there only where anything has been published."""
        if not self.published:
            return {}
        return {name: form.format(self.published[point.removed]) if point.removed in self.published else ""}


def save_checkpoint(path: Path, checkpoint: Mapping[str, Any], model: LightningModule) -> None:
    """Write a checkpoint with the model's weights in place of its own, so that training can go on from it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not in place: the checkpoint may still be read, piece by piece, from a file of that very name.
    whole = path.with_name(f"{path.name}.whole")
    torch.save({**checkpoint, "state_dict": model.cpu().state_dict()}, whole)
    os.replace(whole, path)


def _label(score: str) -> tuple[str, str]:
    return LABELS.get(score, (score, "{:.4g}"))
