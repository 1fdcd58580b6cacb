import csv
import json
from pathlib import Path

import pytest
import yaml

from benchmarks.gan_scores import write


def run(folder: Path, name: str, loss: str, seed: int, fid: float) -> Path:
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "prior_samples.png").write_bytes(f"{name} {seed}".encode())
    r1 = {"class_path": "lightning_vi.adversarial.R1", "init_args": {"weight": 0.5, "every": 4}}
    model = {"loss": {"class_path": f"lightning_vi.adversarial.{loss}"}, "discriminator_steps": 2}
    model["penalty"] = None if seed else r1
    config = {"name": name, "model": {"init_args": model}, "seed_everything": seed}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    figures = {"parzen": 170.123, "parzen_se": 1.456, "parzen_sigma": 0.16681, "fid": fid, "fid_floor": 1.4, "kid": 5.6}
    figures |= {"inception_score": 7.5, "classes": 10.0, "class_kl": 0.0151}
    scores = {f"test/{key}": value for key, value in figures.items()}
    results = {"scores": scores, "epochs": 10, "seconds": 150.0, "device": "d", "commit": "c"}
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def number_run(folder: Path, noise: str, means: list[float], seed: int, distance: float) -> Path:
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "learned_map.png").write_bytes(noise.encode())
    config = {
        "model": {"init_args": {"noise": {"class_path": f"lightning_vi.noise_priors.{noise}"}}},
        "data": {"init_args": {"means": means, "sigmas": [0.5] * len(means), "shares": [1 / len(means)] * len(means)}},
        "seed_everything": seed,
    }
    results = {"scores": {"test/ks": distance}, "seconds": 8.0 + seed, "device": "d", "commit": "c"}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def test_runs_of_numbers_are_a_table_of_their_own(tmp_path: Path) -> None:
    runs = [
        number_run(tmp_path / "1", "Uniform", [0.0, 1.0], 0, 0.0201),
        number_run(tmp_path / "2", "Uniform", [0.0, 1.0], 1, 0.0309),
        number_run(tmp_path / "3", "Gaussian", [1.0], 0, 0.01),
        run(tmp_path / "4", "gan_mnist", "Minimax", 0, 40.0),
    ]
    write(runs, tmp_path)
    report = (tmp_path / "gan.md").read_text()
    assert "| Uniform | 0.5 N(0, 0.5^2) + 0.5 N(1, 0.5^2) | 0 1 | 0.020 0.031 | 9.0 | d | c |" in report
    assert "| Gaussian | 1 N(1, 0.5^2) | 0 | 0.010 | 8.0 | d | c |" in report
    assert (tmp_path / "gan_1d.png").read_bytes() == b"Uniform"
    assert len((tmp_path / "gan.csv").read_text().splitlines()) == 2


def test_every_run_has_a_line_and_every_model_the_picture_of_its_first(tmp_path: Path) -> None:
    runs = [
        run(tmp_path / "1", "gan_mnist", "Minimax", 0, 40.0),
        run(tmp_path / "2", "gan_mnist", "Minimax", 1, 41.0),
        run(tmp_path / "3", "dcgan_mnist", "NonSaturating", 0, 12.0),
    ]
    write(runs, tmp_path)
    first, second, third = csv.DictReader((tmp_path / "gan.csv").read_text().splitlines())
    assert first == {
        "model": "gan_mnist",
        "loss": "Minimax",
        "k": "2",
        "epochs": "10",
        "parzen_nats": "170.12",
        "parzen_se": "1.46",
        "sigma": "0.167",
        "fid": "40.0",
        "fid_floor": "1.4",
        "kid": "5.6",
        "inception_score": "7.5",
        "classes": "10",
        "class_kl": "0.0151",
        "minutes": "2.5",
        "device": "d",
        "commit": "c",
    }
    assert {name: value for name, value in second.items() if value != first[name]} == {"fid": "41.0"}
    changed = {name: value for name, value in third.items() if value != first[name]}
    assert changed == {"model": "dcgan_mnist", "loss": "NonSaturating", "fid": "12.0"}
    assert (tmp_path / "gan_mnist_Minimax_2.png").read_bytes() == b"gan_mnist 0"
    assert (tmp_path / "gan_dcgan_mnist_NonSaturating_2.png").read_bytes() == b"dcgan_mnist 0"
    report = (tmp_path / "gan.md").read_text()
    assert (
        "| gan_mnist | Minimax | 2 | none | 1 | 10 | 170.1 ± 1.5 | 0.167 | 41.0 | 1.40 | 5.600 | 7.50 | 10 | 0.0151 |"
        in report
    )
    assert "| dcgan_mnist | NonSaturating | 2 | R1 0.5 / 4 | 0 |" in report
    assert report.count("](gan_") == 2


def test_without_images_there_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="at least one run of images"):
        write([number_run(tmp_path / "1", "Uniform", [0.0], 0, 0.02)], tmp_path)
