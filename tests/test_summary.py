import pytest

from lightning_vi.summary import duration, score_rows, show


def test_rows_of_a_classifier() -> None:
    scores = {"test/nll": 0.05, "test/error": 1.485, "test/error_mean": 1.5, "train/elbo": -2.0, "test/ece": 0.007}
    assert score_rows(scores) == {
        "test error, draws averaged": "1.49 %",
        "test error, posterior mean": "1.50 %",
        "test NLL per example": "0.0500 nats",
        "test ECE": "0.0070",
        "train ELBO per example": "-2.0000 nats",
    }


def test_rows_of_a_point_estimate_and_of_another_module() -> None:
    assert score_rows({"loss": 0.125, "test/error": 2.0}) == {"test error": "2.00 %", "loss": "0.125"}


@pytest.mark.parametrize(("seconds", "words"), [(2.44, "2.4 s"), (125.2, "2 min 5 s"), (7322, "2 h 2 min 2 s")])
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_is_plain_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    path = "folder/" * 40
    show("title", {"a": "1", "longer": path})
    assert capsys.readouterr().out == f"title\n  a       1\n  longer  {path}\n"


def test_is_drawn_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show("title", {"a": "1", "checkpoint": "folder/" * 40})
    out = capsys.readouterr().out
    assert "│" in out
    assert "".join(out.split()).count("folder") > 30
