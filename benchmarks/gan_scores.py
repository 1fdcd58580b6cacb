"""Write ``results/gan.csv``, ``results/gan.md`` and pictures from trained runs, of images and of numbers.

Usage: python -m benchmarks.gan_scores runs/gan_mnist/version_0 runs/gan_1d/version_0 ...
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
`lightning-vi fit --config MODEL.yaml` with the loss, the k, the penalty and the seed of its line, and tested at its
final epoch; `--name` tells runs without a penalty from the others. docs/gan.md says what the figures are.

Parzen: mean log-likelihood of the 10,000 test images in nats, and its standard error over images, under windows of
width sigma, chosen on the first 1,000 validation images, around 10,000 generated ones. FID, KID, Inception Score and
classes are those of the package's own classifier. FID's floor is that of 10,000 training images; they have a Parzen
likelihood of 241.2 nats. k: the discriminator's steps for each of the generator's.

"""


NUMBERS = """
## In one dimension

Runs of `lightning-vi fit --config gan_1d.yaml`, with the options that a line says: the Kolmogorov-Smirnov distance of
10,000 generated numbers from the distribution that they should have, for each seed; that of exact draws is about 0.009.
Options: `--model.noise Gaussian --model.noise.size 1`, `--data.means [1] --data.sigmas [0.7] --data.shares [1]`.

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


def line(run: Path) -> tuple[Line, str, str]:
    """What a run's folder says, its seed and its penalty."""
    config, results = configuration(run), scored(run)
    model: dict[str, Any] = config["model"]["init_args"]
    scores: dict[str, float] = results["scores"]
    options = model["penalty"]
    penalty = (
        "none"
        if options is None
        else "{} {:g} / {}".format(
            options["class_path"].rpartition(".")[2], options["init_args"]["weight"], options["init_args"]["every"]
        )
    )
    return (
        Line(
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
        ),
        str(config["seed_everything"]),
        penalty,
    )


def number_lines(runs: Sequence[Path]) -> str:
    """A table of runs of one dimension: for each noise and distribution the distances of all seeds."""
    found: dict[tuple[str, str, str], list[tuple[str, float, float, str]]] = {}
    for run in runs:
        config, results = configuration(run), scored(run)
        data = config["data"]["init_args"]
        options = (
            config["model"]["init_args"]["noise"]["class_path"].rpartition(".")[2],
            " + ".join(
                f"{share:g} N({mean:g}, {sigma:g}^2)"
                for share, mean, sigma in zip(data["shares"], data["means"], data["sigmas"], strict=True)
            ),
            results["commit"],
        )
        figures = str(config["seed_everything"]), results["scores"]["test/ks"], results["seconds"], results["device"]
        found.setdefault(options, []).append(figures)
    table = [
        Column("noise", [noise for noise, _, _ in found], is_number=False),
        Column("distribution", [name for _, name, _ in found], is_number=False),
        Column("seeds", [" ".join(seed for seed, *_ in each) for each in found.values()]),
        Column("KS", [" ".join(f"{distance:.3f}" for _, distance, *_ in each) for each in found.values()]),
        Column("longest training, s", [f"{max(seconds for _, _, seconds, _ in each):.1f}" for each in found.values()]),
        Column("device", [each[0][-1] for each in found.values()], is_number=False),
        Column("commit", [commit for *_, commit in found], is_number=False),
    ]
    return NUMBERS + markdown(table) + "\n\n![The learned map](gan_1d.png)\n"


def configuration(run: Path) -> dict[str, Any]:
    """What a run was started with."""
    config: dict[str, Any] = yaml.safe_load((run / "config.yaml").read_text())
    return config


def scored(run: Path) -> dict[str, Any]:
    """What came of it."""
    results: dict[str, Any] = json.loads((run / "results.json").read_text())
    return results


def write(every: Sequence[Path], folder: Path) -> None:
    """Write the files; there is a picture of the first run of each model, loss and k."""
    numbers = [run for run in every if "test/ks" in scored(run)["scores"]]
    runs = [run for run in every if run not in numbers]
    if not runs:
        raise SystemExit("gan_scores: give the folder of at least one run of images.")
    lines, seeds, penalties = zip(*(line(run) for run in runs), strict=True)
    with (folder / "gan.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Line)])
        writer.writeheader()
        writer.writerows(asdict(each) for each in lines)
    pictures: dict[str, Path] = {}
    for each, run in zip(lines, runs, strict=True):
        name = f"gan_{each.model.removeprefix('gan_')}_{each.loss}_{each.k}.png"
        pictures.setdefault(name, run / "figures" / "prior_samples.png")
    if numbers:
        shutil.copyfile(numbers[0] / "figures" / "learned_map.png", folder / "gan_1d.png")
    for name, path in pictures.items():
        shutil.copyfile(path, folder / name)
    table = [
        Column("model", [each.model for each in lines], is_number=False),
        Column("loss", [each.loss for each in lines], is_number=False),
        Column("k", [str(each.k) for each in lines]),
        Column("penalty", list(penalties), is_number=False),
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
    (folder / "gan.md").write_text(
        HEAD + markdown(table) + "\n" + shown + "\n" + (number_lines(numbers) if numbers else "")
    )


if __name__ == "__main__":
    write([Path(each) for each in sys.argv[1:]], RESULTS)
