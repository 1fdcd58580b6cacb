"""What `prune` leaves: scores by weights removed on the terminal, as CSV, Markdown and figure; and a checkpoint."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule
from matplotlib.figure import Figure

from lightning_vi import checkpoints, plots, text_table
from lightning_vi.pruning_curve import Pruned
from lightning_vi.summary import LABELS
from lightning_vi.text_table import Column


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
        markdown = text_table.markdown(self._columns())
        (folder / "pruning.md").write_text(f"{self.title}\n\n{markdown}\n", encoding="utf-8")

    def _write_csv(self, path: Path) -> None:
        """All scores: by name those of averaged draws, with `_mean` those at the posterior mean; nats, percent."""
        lines = [
            {
                "fraction_removed": f"{point.removed / self.weights:.6g}",
                "weights_left": str(self.weights - point.removed),
                **{name: f"{value:.6g}" for name, value in point.drawn.items()},
                **{f"{name}_mean": f"{value:.6g}" for name, value in point.at_mean.items()},
                **({f"published_{self.headline}": self._published(point, "{:.6g}")} if self.published else {}),
            }
            for point in self.curve
        ]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, lines[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)

    def show(self) -> None:
        """Print the table."""
        text_table.show(self.title, self._columns())

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

    def _columns(self) -> list[Column]:
        headline, curve = self.headline, self.curve
        label, form = _label(headline)
        nll, nll_form = _label("nll")
        columns = [
            Column("removed", [f"{100 * point.removed / self.weights:.4g} %" for point in curve]),
            Column("weights left", [f"{self.weights - point.removed:,}" for point in curve]),
            Column(f"test {label}, draws averaged", [form.format(point.drawn[headline]) for point in curve]),
            Column(f"test {label}, posterior mean", [form.format(point.at_mean[headline]) for point in curve]),
            Column(f"test {nll}", [nll_form.format(point.drawn["nll"]) for point in curve]),
        ]
        if self.published:
            columns.append(Column(f"test {label}, published", [self._published(point, form) for point in curve]))
        return columns

    def _published(self, point: Pruned, form: str) -> str:
        return form.format(self.published[point.removed]) if point.removed in self.published else ""


def save_checkpoint(path: Path, checkpoint: Mapping[str, Any], model: LightningModule) -> None:
    """Write a checkpoint with the model's weights in place of its own, so that training can go on from it."""
    # Never in place: the checkpoint may still be read, piece by piece, from a file of that very name.
    checkpoints.write({**checkpoint, "state_dict": model.cpu().state_dict()}, path)


def _label(score: str) -> tuple[str, str]:
    return LABELS.get(score, (score, "{:.4g}"))
