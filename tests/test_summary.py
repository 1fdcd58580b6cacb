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


def test_rows_of_an_autoencoder() -> None:
    scores = {"test/mse_corrupted": 0.02, "test/mse_pca": 0.0135, "test/mse": 0.012346, "test/nll": 55.21}
    rows = {
        "test NLL per example": "55.2100 nats",
        "test MSE per pixel": "0.01235",
        "test MSE per pixel, PCA": "0.01350",
        "test MSE per pixel, corrupted input": "0.02000",
    }
    assert list(score_rows(scores).items()) == list(rows.items())


def test_rows_of_a_variational_autoencoder() -> None:
    scores = {
        "active_units_2": 3.0,
        "active_units": 17.0,
        "kl": 25.5,
        "reconstruction": 62.0,
        "elbo": -87.5,
        "bits_per_dim_median": 2.9,
        "bits_per_dim": 3.0,
        "nll_se": 0.25,
        "nll": 86.0,
    }
    rows = {
        "test NLL per example": "86.0000 nats",
        "test NLL per example, standard error": "0.2500 nats",
        "test bits per dimension": "3.0000",
        "test bits per dimension, median": "2.9000",
        "test ELBO per example": "-87.5000 nats",
        "test reconstruction error per example": "62.0000 nats",
        "test KL per example": "25.5000 nats",
        "test active latent variables": "17",
        "test active latent variables, layer 2": "3",
    }
    found = score_rows({f"test/{name}": value for name, value in scores.items()})
    assert list(found.items()) == list(rows.items())


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
