import io
import re
from collections.abc import Callable
from functools import partial

import pytest
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from rich.console import Console

from lightning_vi.callbacks import ProgressBar
from lightning_vi.datamodules import Digits
from lightning_vi.modules import GAN
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian

EPOCH_LINE = r"Epoch (\d)/3: error \d+\.\d\d %, ELBO -\d+\.\d{4} nats \(\d+\.\d s\)"


@pytest.mark.parametrize(("seconds", "epochs"), [(0.0, ["1", "2", "3"]), (3600.0, ["1", "3"])])
def test_prints_lines_without_a_terminal(
    seconds: float,
    epochs: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    monkeypatch.setattr("lightning_vi.callbacks.progress_bar.LINE_SECONDS", seconds)
    trainer = make_trainer(ProgressBar(), max_epochs=3, enable_progress_bar=True)
    trainer.fit(*classification)
    trainer.validate(*classification, verbose=False)
    trainer.test(*classification, verbose=False)
    matches = [re.fullmatch(EPOCH_LINE, line) for line in capsys.readouterr().out.splitlines()]
    assert [match and match[1] for match in matches] == epochs


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written to a terminal of 100 columns."""
    written = io.StringIO()
    terminal = partial(Console, file=written, force_terminal=True, width=100, color_system=None)
    monkeypatch.setattr("lightning_vi.callbacks.progress_bar.Console", terminal)
    monkeypatch.setenv("TERM", "xterm")
    return written


def test_a_terminal_shows_epoch_error_and_elbo_of_the_whole_run(
    screen: io.StringIO,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    trainer = make_trainer(ProgressBar(refresh_seconds=0), max_epochs=3, enable_progress_bar=True)
    trainer.fit(*classification)
    text = screen.getvalue()
    assert re.search(r"Epoch 2/3 \S+ +50% .* error \d+\.\d\d %, ELBO -\d+\.\d{4} nats", text)
    assert re.search(r"Epoch 3/3 \S+ 100% .* error \d+\.\d\d %, ELBO -\d+\.\d{4} nats", text)
    assert "v_num" not in text
    for run, name in ((trainer.validate, "Validating"), (trainer.test, "Testing"), (trainer.predict, "Predicting")):
        screen.truncate(0)
        run(*classification)
        assert re.search(rf"{name} \S+ 100%", screen.getvalue())


@pytest.mark.parametrize("k", [1, 2, 5])
def test_max_steps_are_the_generators(k: int, screen: io.StringIO, make_trainer: Callable[..., Trainer]) -> None:
    """Four of 4 k minibatches: every generator's step is a quarter, and the epochs that nobody reaches are none."""
    net = partial(MLP, hidden=[4])
    data = Digits(batch_size=500, seed=0)  # three minibatches an epoch
    gan = GAN(data.input_shape, net, net, Gaussian(2), discriminator_steps=k)
    trainer = make_trainer(ProgressBar(refresh_seconds=0), max_steps=4, max_epochs=1000, enable_progress_bar=True)
    trainer.fit(gan, data)
    shown = [int(share) for share in re.findall(r"Epoch \d+/1000 [^%]*?(\d+)%", screen.getvalue())]
    assert sorted(set(shown)) == ([25, 50, 75, 100] if k == 1 else [0, 25, 50, 75, 100])
    assert shown == sorted(shown)
    assert shown[-1] == 100
    assert gan.steps == {"generator": 4, "discriminator": 4 * k}


def test_writes_rarely(
    screen: io.StringIO,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    trainer = make_trainer(ProgressBar(refresh_seconds=3600), max_epochs=3, enable_progress_bar=True)
    trainer.fit(*classification)
    assert screen.getvalue().count("Epoch") <= 3  # the first step's and, twice as it closes, the last


def test_gives_the_terminal_back_when_training_fails(
    screen: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    make_trainer: Callable[..., Trainer],
    classification: tuple[LightningModule, LightningDataModule],
) -> None:
    module, data = classification

    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(module, "training_step", fail)
    with pytest.raises(RuntimeError, match="broken"):
        make_trainer(ProgressBar(), enable_progress_bar=True).fit(module, data)
    assert screen.getvalue().rstrip().endswith("\x1b[?25h")  # the cursor is shown again
