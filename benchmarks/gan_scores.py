"""Write ``results/gan.csv``, ``results/gan.md`` and a picture for each model from trained runs.

Usage: python -m benchmarks.gan_scores runs/gan_mnist/version_0 runs/dcgan_mnist/version_0 ...
"""

import csv
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from lightning_vi.text_table import Column, markdown

RESULTS = Path(__file__).parent.parent / "results"
HEAD = """# Generative adversarial networks on MNIST

Command: `python -m benchmarks.gan_scores RUN ...` with the folders of the runs below; each was trained by
`lightning-vi fit --config MODEL.yaml` with the options that its line names, and tested at its final epoch. docs/gan.md
says what the figures are.

Parzen: mean log-likelihood of the 10,000 test images in nats, and its standard error over images, under windows of
width sigma, chosen on the first 1,000 validation images, around 10,000 generated ones. FID, KID, Inception Score and
classes are those of the package's own classifier. FID's floor is that of 10,000 training images; they have a Parzen
likelihood of 241.2 nats. k: the discriminator's steps for each of the generator's.

"""


@dataclass(frozen=True)
class Line:
    """A trained run; the fields are the columns of the CSV file, in nats and minutes."""

    model: str
    loss: str
    k: int
    epochs: int
    parzen_nats: float
    parzen_se: float
    sigma: float
    fid: float
    fid_floor: float
    kid: float
    inception_score: float
    classes: int
    class_kl: float
    minutes: float
    device: str
    commit: str


def line(run: Path) -> tuple[Line, str]:
    """What a run's folder says, and its seed and its options apart from those of the configuration's own."""
    config, results = yaml.safe_load((run / "config.yaml").read_text()), json.loads((run / "results.json").read_text())
    model: dict[str, Any] = config["model"]["init_args"]
    scores: dict[str, float] = results["scores"]
    return Line(
        model=config["name"],
        loss=model["loss"]["class_path"].rpartition(".")[2],
        k=model["discriminator_steps"],
        epochs=results["epochs"],
        parzen_nats=round(scores["test/parzen"], 2),
        parzen_se=round(scores["test/parzen_se"], 2),
        sigma=round(scores["test/parzen_sigma"], 3),
        fid=round(scores["test/fid"], 2),
        fid_floor=round(scores["test/fid_floor"], 2),
        kid=round(scores["test/kid"], 4),
        inception_score=round(scores["test/inception_score"], 3),
        classes=int(scores["test/classes"]),
        class_kl=round(scores["test/class_kl"], 4),
        minutes=round(results["seconds"] / 60, 1),
        device=results["device"],
        commit=results["commit"],
    ), str(config["seed_everything"])


def write(runs: Sequence[Path], folder: Path) -> None:
    """Write the files; the picture is of the first run of a model and a loss."""
    lines, seeds = zip(*(line(run) for run in runs), strict=True)
    with (folder / "gan.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Line)])
        writer.writeheader()
        writer.writerows(asdict(each) for each in lines)
    pictures: dict[str, Path] = {}
    for each, run in zip(lines, runs, strict=True):
        pictures.setdefault(f"gan_{each.model.removeprefix('gan_')}.png", run / "figures" / "prior_samples.png")
    for name, path in pictures.items():
        shutil.copyfile(path, folder / name)
    table = [
        Column("model", [each.model for each in lines], is_number=False),
        Column("loss", [each.loss for each in lines], is_number=False),
        Column("k", [str(each.k) for each in lines]),
        Column("seed", list(seeds)),
        Column("epochs", [str(each.epochs) for each in lines]),
        Column("Parzen, nats", [f"{each.parzen_nats:.1f} ± {each.parzen_se:.1f}" for each in lines]),
        Column("sigma", [f"{each.sigma:.3f}" for each in lines]),
        Column("FID", [f"{each.fid:.1f}" for each in lines]),
        Column("floor", [f"{each.fid_floor:.2f}" for each in lines]),
        Column("KID", [f"{each.kid:.3f}" for each in lines]),
        Column("Inception Score", [f"{each.inception_score:.2f}" for each in lines]),
        Column("classes", [str(each.classes) for each in lines]),
        Column("class KL, nats", [f"{each.class_kl:.4f}" for each in lines]),
        Column("minutes", [f"{each.minutes:.1f}" for each in lines]),
        Column("device", [each.device for each in lines], is_number=False),
        Column("commit", [each.commit for each in lines], is_number=False),
    ]
    shown = "\n".join(f"\n![Samples of {name.removesuffix('.png')}]({name})" for name in pictures)
    (folder / "gan.md").write_text(HEAD + markdown(table) + "\n" + shown + "\n")


if __name__ == "__main__":
    write([Path(each) for each in sys.argv[1:]], RESULTS)
