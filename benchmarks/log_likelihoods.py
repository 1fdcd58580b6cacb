"""Write ``results/vae.csv`` and ``results/vae.md`` from trained runs: their test log-likelihoods beside the paper's.

Usage: python -m benchmarks.log_likelihoods runs/vae_mnist/version_0 runs/iwae_mnist/version_0 ...
"""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from lightning_vi.text_table import Column, markdown

RESULTS = Path(__file__).parent.parent / "results"
# Burda, Grosse, Salakhutdinov 2016, table 1, by layers and k.
PAPER = {(1, 1): 86.76, (1, 5): 85.54, (1, 50): 84.78, (2, 1): 85.33, (2, 5): 83.89, (2, 50): 82.90}
PAPER_EPOCHS = 3280
HEAD = f"""# Test log-likelihoods of autoencoders on MNIST

Command: `python -m benchmarks.log_likelihoods RUN ...` with the folders of the runs below; each was trained by
`lightning-vi fit` with the configuration of its name, the warm-started one by the command in docs/vae.md.

NLL: -log p(x) in nats, by K importance samples, the mean over all 10,000 test images at the final epoch, and its
standard error over images. Pixels are bits, drawn anew at every step of training and once for the test. Paper: Burda
et al. (2016), table 1, K = 5000, {PAPER_EPOCHS} epochs. A sum of epochs is of a run that started with another one's
weights, which its minutes include. One seed each: the standard error says nothing of that.

"""


@dataclass(frozen=True)
class Line:
    """A trained run; the fields are the columns of the CSV file, in nats and minutes."""

    model: str
    layers: int
    k: int
    binarisation: str
    epochs: str
    nll: float
    nll_se: float
    active_units: str
    paper_nll: float | None
    minutes: float
    device: str
    commit: str


def line(run: Path) -> tuple[Line, int]:
    """What a run's folder says, and the K of its NLL."""
    config, results = yaml.safe_load((run / "config.yaml").read_text()), json.loads((run / "results.json").read_text())
    model: dict[str, Any] = config["model"]["init_args"]
    objective: dict[str, Any] = model["objective"]
    layers, k = 1 + len(model["upper"]), int(objective.get("init_args", {}).get("samples", 1))
    scores: dict[str, float] = results["scores"]
    active = [scores["test/active_units"], *(scores[f"test/active_units_{number}"] for number in range(2, layers + 1))]
    epochs, seconds = str(results["epochs"]), results["seconds"]
    if config.get("weights"):
        start = json.loads((Path(config["weights"]).parent.parent / "results.json").read_text())
        epochs, seconds = f"{start['epochs']} + {epochs}", start["seconds"] + seconds
    transform = config["data"]["init_args"]["transform"]["class_path"].rpartition(".")[2]
    return Line(
        model={"ELBO": "VAE"}.get(name := objective["class_path"].rpartition(".")[2], name),
        layers=layers,
        k=k,
        binarisation={"StochasticBinarisation": "stochastic", "FixedBinarisation": "fixed"}[transform],
        epochs=epochs,
        nll=round(scores["test/nll"], 3),
        nll_se=round(scores["test/nll_se"], 3),
        active_units=" + ".join(f"{units:.0f}" for units in active),
        paper_nll=PAPER.get((layers, k)),
        minutes=round(seconds / 60, 1),
        device=results["device"],
        commit=results["commit"],
    ), int(model["draws"])


def write(runs: Sequence[Path], folder: Path) -> None:
    """Write both files."""
    lines, draws = zip(*(line(run) for run in runs), strict=True)
    with (folder / "vae.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Line)])
        writer.writeheader()
        writer.writerows(asdict(each) for each in lines)
    table = [
        Column("model", [each.model for each in lines], is_number=False),
        Column("layers", [str(each.layers) for each in lines]),
        Column("k", [str(each.k) for each in lines]),
        Column("epochs", [each.epochs for each in lines]),
        Column("K", [str(each) for each in draws]),
        Column("test NLL, nats", [f"{each.nll:.2f} ± {each.nll_se:.2f}" for each in lines]),
        Column("paper", ["" if each.paper_nll is None else f"{each.paper_nll:.2f}" for each in lines]),
        Column("active units", [each.active_units for each in lines]),
        Column("minutes", [f"{each.minutes:.0f}" for each in lines]),
        Column("device", [each.device for each in lines], is_number=False),
        Column("commit", [each.commit for each in lines], is_number=False),
    ]
    (folder / "vae.md").write_text(HEAD + markdown(table) + "\n")


if __name__ == "__main__":
    write([Path(each) for each in sys.argv[1:]], RESULTS)
