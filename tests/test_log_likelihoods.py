import csv
import json
from pathlib import Path
from typing import Any

import yaml

from benchmarks.log_likelihoods import write

STOCHASTIC = "lightning_vi.datamodules.StochasticBinarisation"


def run(folder: Path, config: dict[str, Any], results: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def configuration(objective: dict[str, Any], upper: list[Any], **more: Any) -> dict[str, Any]:
    data = {"init_args": {"transform": {"class_path": STOCHASTIC}}}
    return {"model": {"init_args": {"objective": objective, "upper": upper, "draws": 5000}}, "data": data, **more}


def test_a_run_stands_beside_the_papers_figure_of_its_layers_and_samples(tmp_path: Path) -> None:
    scores = {"test/nll": 87.5004, "test/nll_se": 0.2304, "test/active_units": 21.0, "test/active_units_2": 5.0}
    results = {"scores": scores, "epochs": 500, "seconds": 1800.0, "device": "d", "commit": "c"}
    elbo = {"class_path": "lightning_vi.bounds.ELBO", "init_args": {"samples": 1}}
    iwae = {"class_path": "lightning_vi.bounds.IWAE", "init_args": {"samples": 5}}
    first = run(tmp_path / "first" / "version_0", configuration(elbo, []), results)
    weights = str(first / "checkpoints" / "last.ckpt")
    second = run(tmp_path / "second", configuration(iwae, [], weights=weights), results | {"epochs": 100})
    third = run(tmp_path / "third", configuration(elbo, [{}]), results)
    write([first, second, third], tmp_path)
    one, two, three = csv.DictReader((tmp_path / "vae.csv").read_text().splitlines())
    assert one == {
        "model": "VAE",
        "layers": "1",
        "k": "1",
        "binarisation": "stochastic",
        "epochs": "500",
        "nll": "87.5",
        "nll_se": "0.23",
        "active_units": "21",
        "paper_nll": "86.76",
        "minutes": "30.0",
        "device": "d",
        "commit": "c",
    }
    changed = {name: value for name, value in two.items() if value != one[name]}
    assert changed == {"model": "IWAE", "k": "5", "epochs": "500 + 100", "paper_nll": "85.54", "minutes": "60.0"}
    changed = {name: value for name, value in three.items() if value != one[name]}
    assert changed == {"layers": "2", "active_units": "21 + 5", "paper_nll": "85.33"}
    assert (
        "| IWAE | 1 | 5 | 500 + 100 | 5000 | 87.50 ± 0.23 | 85.54 | 21 | 60 | d | c |"
        in (tmp_path / "vae.md").read_text()
    )
