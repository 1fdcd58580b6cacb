"""Write ``results/shift.csv``, ``results/shift.md`` and ``results/shift.png``: models on ever more shifted test digits.

Usage: python -m benchmarks.shift SGD=runs/mlp_mnist/version_0 BBB=runs/bbb_mnist/version_0 ...

A label for each run's folder, of models of the same data with their default scaling.
"""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import yaml
from lightning.pytorch import LightningModule

from lightning_vi.datamodules import MNIST, InMemoryDataModule, Noisy, Rotated
from lightning_vi.detection import Detection
from lightning_vi.loading import load
from lightning_vi.metrics import scores_for
from lightning_vi.modules.supervised import SupervisedModule
from lightning_vi.plots import shift_curves
from lightning_vi.provenance import commit
from lightning_vi.text_table import Column, markdown

RESULTS = Path(__file__).parent.parent / "results"
ANGLES = tuple(range(0, 181, 15))
SIGMAS = (0.25, 0.5, 1.0)
DRAWS = 20
"""Draws of a model at most: a fifth of those of a Bayesian network's test, in a fifth of the time."""
PANELS = {"error": "Error (%)", "nll": "NLL (nats)", "entropy": "Mean predictive entropy (nats)"}
DETECTED = {"auroc": "AUROC", "aupr": "AUPR", "fpr95": "FPR95"}
HEAD = """# Test digits that turn away from the training digits

Command: `python -m benchmarks.shift {labels}` with the folders of the runs below, at commit {commit}; each run is
`lightning-vi fit --config CONFIG --trainer.max_epochs EPOCHS`, one seed, judged at its final epoch. Where EPOCHS are
fewer than those of CONFIG, it was for the time they take: models may differ for that too. Nothing was chosen on the
test split. docs/uncertainty.md defines the scores; all of them, for every shift: [shift.csv](shift.csv).

"""
TURNED = """
## Rotated test digits

The 10,000 MNIST test images turned counter-clockwise (`--data Rotated --data.data MNIST --data.angle ANGLE`). Turned by
180 degrees 0, 1 and 8 are digits again, and 6 and 9 are each other: errors of the others count all the same.

![Error, NLL and entropy against the angle](shift.png)

"""
OTHER = """
## Out-of-distribution detection

The test images against the same images rotated or with Gaussian noise added (sigma in units of the inputs, in which
white is 2.02): `lightning-vi test --config CONFIG --ckpt_path last --ood Rotated --ood.data MNIST --ood.angle 60`, or
`--ood Noisy --ood.data MNIST --ood.sigma 0.5`. By predictive entropy, in the last column by mutual information, which
a single network has not.

"""


def model_of(run: Path) -> SupervisedModule:
    """The model of a run's final epoch."""
    model = load(run / "checkpoints" / "last.ckpt", LightningModule)
    if not isinstance(model, SupervisedModule):
        raise SystemExit(f"shift: {run} holds a {type(model).__name__}, which is no classifier.")
    if model.draws is not None:
        model.draws = min(model.draws, DRAWS)
    return model


def judge(models: Mapping[str, SupervisedModule], data: InMemoryDataModule) -> list[dict[str, Any]]:
    """Scores of every model on every shift: percent, nats and shares."""
    inputs, targets = data.splits().test.tensors
    own = {label: model.predict(inputs) for label, model in models.items()}
    shifts = [("rotated", angle, Rotated(data, angle)) for angle in ANGLES]
    lines = []
    for shift, amount, shifted in [*shifts, *(("noisy", sigma, Noisy(data, sigma)) for sigma in SIGMAS)]:
        changed = shifted.shift(inputs)
        for label, model in models.items():
            predictive = model.predict(changed)
            scores, detection = scores_for(model.likelihood, model.target_size), Detection()
            scores.update(predictive, targets)
            detection.update(own[label], is_other=False)
            detection.update(predictive, is_other=True)
            tensors = {
                **scores.compute(),
                "entropy": predictive.entropy.mean(),
                "mutual_information": predictive.mutual_information.mean(),
                **{f"ood_{name}": value for name, value in detection.compute().items()},
            }
            figures = {name: round(float(value), 6) for name, value in tensors.items()}
            networks = len(predictive.outputs)
            lines.append({"model": label, "networks": networks, "shift": shift, "amount": amount, **figures})
            print(f"{label} {shift} {amount:g}: error {figures['error']:.2f} %", flush=True)
    return lines


def curves(lines: Sequence[Mapping[str, Any]], score: str) -> dict[str, list[float]]:
    """For each model's label a score by angle."""
    found: dict[str, list[float]] = {}
    for line in lines:
        if line["shift"] == "rotated":
            found.setdefault(line["model"], []).append(line[score])
    return found


def trained(runs: Mapping[str, Path], lines: Sequence[Mapping[str, Any]]) -> str:
    """A table of what was trained, and how many networks each averages."""
    averaged = {line["model"]: str(line["networks"]) for line in lines}
    configs = [yaml.safe_load((run / "config.yaml").read_text()) for run in runs.values()]
    results = [json.loads((run / "results.json").read_text()) for run in runs.values()]
    return markdown(
        [
            Column("model", list(runs), is_number=False),
            Column("CONFIG", [f"{config['name']}.yaml" for config in configs], is_number=False),
            Column("EPOCHS", [str(each["epochs"]) for each in results]),
            Column("networks averaged", list(averaged.values())),
            Column("weights", [f"{each['weights']:,}" for each in results]),
            Column("minutes", [f"{each['seconds'] / 60:.1f}" for each in results]),
            Column("device", [each["device"] for each in results], is_number=False),
            Column("commit", [each["commit"] for each in results], is_number=False),
        ]
    )


def turned(lines: Sequence[Mapping[str, Any]]) -> str:
    """A table of errors and entropies by angle."""
    errors, entropies = curves(lines, "error"), curves(lines, "entropy")
    return markdown(
        [
            Column("angle", [f"{angle}°" for angle in ANGLES]),
            *(Column(f"error, {label}", [f"{value:.2f} %" for value in errors[label]]) for label in errors),
            *(Column(f"entropy, {label}", [f"{value:.3f}" for value in entropies[label]]) for label in entropies),
        ]
    )


def detected(lines: Sequence[Mapping[str, Any]]) -> str:
    """A table of out-of-distribution scores."""
    shown = [line for line in lines if line["shift"] == "noisy" or line["amount"] in (30, 60, 90)]
    information = [line.get("ood_auroc_mutual_information") for line in shown]
    return markdown(
        [
            Column("shift", [f"{line['shift']}, {line['amount']:g}" for line in shown], is_number=False),
            Column("model", [line["model"] for line in shown], is_number=False),
            *(
                Column(name, [f"{line[f'ood_{score}_entropy']:.3f}" for line in shown])
                for score, name in DETECTED.items()
            ),
            Column("AUROC, mutual information", ["" if value is None else f"{value:.3f}" for value in information]),
        ]
    )


def write(runs: Mapping[str, Path], data: InMemoryDataModule, folder: Path) -> None:
    """Judge the runs' final checkpoints and write the three files."""
    lines = judge({label: model_of(run) for label, run in runs.items()}, data)
    names = dict.fromkeys(name for line in lines for name in line)
    with (folder / "shift.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(names), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    panels = {title: curves(lines, score) for score, title in PANELS.items()}
    figure = shift_curves(ANGLES, panels, "Angle (degrees)", f"Rotated {type(data).__name__} test images")
    figure.savefig(folder / "shift.png", dpi=figure.dpi)
    labels = " ".join(quote(f"{label}=RUN") for label in runs)
    tables = (HEAD.format(labels=labels, commit=commit()), trained(runs, lines), "\n", TURNED, turned(lines), "\n")
    (folder / "shift.md").write_text("".join((*tables, OTHER, detected(lines), "\n")))


if __name__ == "__main__":
    pairs = (each.partition("=") for each in sys.argv[1:])
    write({label: Path(run) for label, _, run in pairs}, MNIST(), RESULTS)
