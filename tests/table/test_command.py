import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from lightning_vi.__main__ import main
from lightning_vi.table import processes

ROWS: list[dict[str, object]] = [
    {"name": "good", "labels": {"net": "A"}, "configs": ["bbb_digits.yaml"], "seeds": [0, 1]},
    {"name": "other", "labels": {"net": "B"}, "configs": ["mlp_mnist.yaml"], "paper": 0.5},
]
TABLE = {
    "name": "tiny",
    "title": "A tiny table",
    "metric": "test/rmse",
    "rows": ROWS,
}

# In place of a training.
FAKE = """
import json, pathlib, sys
arguments = dict(each.removeprefix("--").split("=", 1) for each in sys.argv[2:])
if "fails" in arguments["name"]:
    sys.exit("the reason")
if "pairless-seeds" in arguments["name"]:
    print("the mistake")
    sys.exit(2)
folder = pathlib.Path("runs") / arguments["name"] / "version_0"
folder.mkdir(parents=True)
content = {"scores": {"test/rmse": 0.25 + int(arguments["seed_everything"])}, "curves": {}, "weights": 3, "seconds": 6,
           "epochs": int(arguments.get("trainer.max_epochs", 60)), "device": "d", "commit": "c"}
(folder / "results.json").write_text(json.dumps(content))
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(processes, "python", lambda: [sys.executable, "-c", FAKE])
    write(TABLE)


def write(table: object) -> None:
    Path("tiny.yaml").write_text(yaml.safe_dump(table, sort_keys=False))


def table(*args: str) -> int:
    return main(["table", "--config=tiny.yaml", *args])


def lines(file: str = "tiny.csv") -> list[list[str]]:
    return [line.split(",") for line in (Path("results") / file).read_text().splitlines()]


def test_runs_what_is_missing_and_reports_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert table("--workers=2", "--rows", "good", "--seeds", "0") == 0
    assert [line[:6] for line in lines()[1:]] == [["A", "3", "1", "60", "", "0.25"]]
    assert table() == 0
    header, good, other = lines()
    assert header[:8] == ["net", "weights", "seeds", "epochs", "protocol", "test_rmse_mean", "test_rmse_std", header[7]]
    assert good[:7] == ["A", "3", "2", "60", "", "0.75", "0.7071"]
    assert other[:7] == ["B", "3", "1", "50", "", "0.25", ""]
    assert len(list(Path("results/runs").iterdir())) == 3
    out = capsys.readouterr().out
    assert "3 of 3 runs" in out
    assert "A tiny table" in out
    written = [path.read_bytes() for path in sorted(Path("results").glob("tiny.*"))]
    for path in Path("results").glob("tiny.*"):
        path.unlink()
    assert table("--report") == 0
    assert [path.read_bytes() for path in sorted(Path("results").glob("tiny.*"))] == written


def test_seeds_that_the_file_does_not_name_count_too() -> None:
    assert table("--rows", "other", "--seeds", "5") == 0
    assert [line[:6] for line in lines()[1:]] == [["B", "3", "1", "50", "", "5.25"]]
    assert table("--rows", "other") == 0
    assert [line[:6] for line in lines()[1:]] == [["B", "3", "2", "50", "", "2.75"]]


def test_shorter_runs_are_others_and_have_files_of_their_own() -> None:
    assert table("--epochs-scale", "0.1") == 0
    assert not Path("results/tiny.csv").exists()
    assert [line[3:5] for line in lines("tiny-x0.1.csv")[1:]] == [["6", "x 0.1"], ["5", "x 0.1"]]
    assert table("--report") == 0
    assert len(lines()) == 1
    assert len(lines("tiny-x0.1.csv")) == 3


def test_another_recipe_is_run_anew_and_the_old_one_not_counted() -> None:
    assert table() == 0
    rows = [{**row, "options": {"trainer.max_epochs": 7}} for row in ROWS]
    write({**TABLE, "rows": rows})
    assert table("--report") == 0
    assert len(lines()) == 1
    assert table() == 0
    assert [line[3] for line in lines()[1:]] == ["7", "7"]


def test_seeds_that_are_known_not_to_go_together_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    write({**TABLE, "rows": [{**ROWS[0], "configs": ["vae_digits.yaml"]}, ROWS[1]]})
    assert table("--seeds-together") == 0
    told = "the seeds of row 'good' are trained one by one: model (=VAE) must be PointEstimate or BayesByBackprop."
    assert f"lightning-vi: {told}\n" in capsys.readouterr().err
    assert len(list(Path("results/runs").iterdir())) == 3


def test_seeds_whose_run_is_refused_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    write({**TABLE, "rows": [{**ROWS[0], "name": "pairless"}]})
    assert table("--seeds-together") == 0
    err = capsys.readouterr().err
    assert "pairless seeds 0 to 1: one by one, since the mistake\n" in err
    assert "lightning-vi: 1 run of several seeds went one by one:\n  pairless seeds 0 to 1: the mistake (" in err


def test_failed_runs_are_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*ROWS, {"name": "fails", "labels": {"net": "C"}, "configs": ["mlp_mnist.yaml"]}]
    write({**TABLE, "rows": rows})
    assert table("--workers=2") == 1
    err = capsys.readouterr().err
    assert "fails seed 0 is retried: the reason\n" in err
    assert "lightning-vi: 1 run failed and went on from its last checkpoint:" in err
    assert "lightning-vi: 1 run failed:" in err
    assert "fails seed 0: the reason (runs/tiny/fails-seed0-" in err
    assert len(lines()) == 3


def test_a_metric_that_no_run_has_is_told_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    write({**TABLE, "metric": "test/eror"})
    assert table("--rows", "other") == 1
    assert "other seed 0: it has no score test/eror, but test/rmse" in capsys.readouterr().err


def test_the_list_of_configurations_in_the_docs_runs() -> None:
    docs = Path(__file__).parents[2] / "docs" / "many_runs.md"
    (example,) = re.findall(r"```yaml\n(.*?)```", docs.read_text(), re.DOTALL)
    Path("mine.yaml").write_text(example)
    assert main(["table", "--config=mine.yaml", "--retries=0"]) == 1  # the fake has no test error
    Path("mine.yaml").write_text(example.replace("test/error", "test/rmse"))
    assert main(["table", "--config=mine.yaml"]) == 0
    header, *rows = lines("mine.csv")
    assert header[:2] == ["net", "weights"]
    assert [(row[0], row[2]) for row in rows] == [("Bayes by Backprop", "3"), ("dropout", "3")]


def test_two_do_not_work_on_the_same_table(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs/tiny").mkdir(parents=True)
    with FileLock("runs/tiny/lock"):
        assert table() == 2
    assert "another `lightning-vi table` is at work there" in capsys.readouterr().err
    assert table() == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--workers=0"], "--workers (=0) must be at least 1."),
        (["--engine=rey"], "engine: expected 'local', 'ray', got 'rey'. Did you mean 'ray'?"),
        (["--retries=-1"], "--retries (=-1) must be at least 0."),
        (["--workers=two"], "workers: expected int, got 'two'."),
        (["--epochs-scale=-1"], "--epochs-scale (=-1.0) must be positive."),
        (["--rows", "god"], "--rows god: no row of tiny matches. Did you mean 'good'?"),
        (["--row", "good"], "there is no option '--row'. Did you mean '--rows'?"),
        (["--seeds", "x"], "seeds: expected int, got 'x'."),
        (["--seeds", "-1"], "--seeds (=[-1]) must be numbers from 0 on"),
        (["--report", "--rows", "good"], "--report reports all that is stored: leave out --rows, --seeds and"),
        (["--report", "--seeds-together"], "--report reports all that is stored: leave out --rows, --seeds and"),
        (["--config=tinny.yaml"], "--config tinny.yaml: no such file"),
    ],
)
def test_mistakes_are_told_in_a_line(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert table(*args) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "must describe a table"),
        ({**TABLE, "nmae": "x"}, "nmae"),
        ({"name": "x"}, "must be given"),
        ({**TABLE, "rows": 3}, "rows: expected a list, got '3'"),
        ({**TABLE, "seeds": ["x"]}, "seeds"),
        ({**TABLE, "rows": []}, "there are no rows"),
        ({**TABLE, "examples": 0}, "examples (=0) must be positive"),
    ],
)
def test_a_file_that_describes_no_table_is_told(
    content: object, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(content)
    assert table() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert line.startswith("lightning-vi: t")


def test_yaml_that_cannot_be_read_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("tiny.yaml").write_text("rows: [")
    assert table() == 2
    assert "tiny.yaml: not valid YAML" in capsys.readouterr().err


def test_a_damaged_result_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert table() == 0
    (path,) = Path("results/runs").glob("other-*")
    path.write_text(json.dumps({"row": "other"}))
    assert table("--report") == 2
    assert "is not the stored result of its run" in capsys.readouterr().err


def test_help_tells_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        table("--help")
    assert raised.value.code == 0
    assert "--epochs-scale" in capsys.readouterr().out
