"""Scores of several models on the same test examples, and how uncertain each is about them."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from torch.distributions import Categorical

from lightning_vi import text_table
from lightning_vi.metrics import scores_for
from lightning_vi.modules import SupervisedModule
from lightning_vi.modules.supervised import Batch
from lightning_vi.predictive import Draws, Predictive
from lightning_vi.summary import LABELS
from lightning_vi.text_table import Column


@dataclass(frozen=True)
class Row:
    """One way to predict from one checkpoint.

    Attributes:
        name: Of its run, as short as it is told apart by.
        checkpoint: Its file.
        model: Its class.
        draws: Number of draws, "mean" for the weights' mean; empty for a model without draws.
        networks: Number of networks that are averaged.
        scores: By name, over all test examples: those of a test, and the means over examples of the uncertainty, in
            nats or, for vector targets, as standard deviations in the target's units.
    """

    name: str
    checkpoint: Path
    model: str
    draws: str
    networks: int
    scores: Mapping[str, float]


def ways(module: SupervisedModule, draws: int | None) -> Sequence[Draws]:
    """How a module can predict: by draws, as many as its tests take unless told, and at the weights' mean."""
    count = module.draws if draws is None else draws
    return [count, "mean"] if module.can_draw and count is not None else ["mean"]


def scored(module: SupervisedModule, batches: Iterable[Batch], draws: Draws) -> tuple[dict[str, float], int]:
    """The scores of one way to predict, and the number of networks that it averages."""
    scores = scores_for(module.likelihood, module.target_size)
    sums: dict[str, float] = {}
    networks = examples = 0
    for inputs, targets in batches:
        predictive = module.predict(inputs, draws)
        scores.update(predictive, targets)
        for name, values in _uncertainty(predictive).items():
            sums[name] = sums.get(name, 0.0) + float(values.double().sum())
        networks, examples = len(predictive.outputs), examples + len(inputs)
    means = {name: total / examples for name, total in sums.items()}
    return {name: float(value) for name, value in scores.compute().items()} | means, networks


def _uncertainty(predictive: Predictive) -> dict[str, Tensor]:
    """What is averaged over examples, by name, each (B,)."""
    if isinstance(predictive.conditional, Categorical):
        return {"entropy": predictive.entropy, "mutual_information": predictive.mutual_information}
    return {
        "epistemic_sd": predictive.epistemic_variance.sqrt().mean(dim=-1),
        "aleatoric_sd": predictive.aleatoric_variance.sqrt().mean(dim=-1),
    }


def show(title: str, rows: Sequence[Row]) -> None:
    """Print the table."""
    text_table.show(title, _columns(rows))


def write(title: str, rows: Sequence[Row], folder: Path) -> None:
    """Write `compare.csv`, with all digits and the checkpoints' files, and `compare.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "compare.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["checkpoint", "model", "draws", "networks", *_names(rows)])
        for row in rows:
            values = (_text(row, name, "{:.6g}") for name in _names(rows))
            writer.writerow([row.checkpoint, row.model, row.draws, row.networks, *values])
    (folder / "compare.md").write_text(f"{title}\n\n{text_table.markdown(_columns(rows))}\n", encoding="utf-8")


def _columns(rows: Sequence[Row]) -> list[Column]:
    columns = [
        Column("run", [row.name for row in rows], is_number=False),
        Column("model", [row.model for row in rows], is_number=False),
        Column("draws", [row.draws for row in rows]),
        Column("networks", [str(row.networks) for row in rows]),
    ]
    for name in _names(rows):
        label, form = LABELS.get(name, (name, "{:.4g}"))
        columns.append(Column(label, [_text(row, name, form) for row in rows]))
    return columns


def _names(rows: Sequence[Row]) -> list[str]:
    """Of all scores; likelihoods of one's own may have different ones."""
    return list(dict.fromkeys(name for row in rows for name in row.scores))


def _text(row: Row, name: str, form: str) -> str:
    return form.format(row.scores[name]) if name in row.scores else ""
