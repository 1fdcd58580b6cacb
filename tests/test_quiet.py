import logging
import warnings

import pytest
from lightning.fabric import seed_everything
from lightning.pytorch import Trainer

from lightning_vi.quiet import quiet


@pytest.fixture(autouse=True)
def propagating(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lightning.pytorch", "lightning.fabric"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")


def messages(caplog: pytest.LogCaptureFixture) -> str:
    with caplog.at_level(logging.INFO):
        caplog.clear()
        seed_everything(3)
        Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    return caplog.text


def test_drops_what_tells_nothing_and_only_inside(caplog: pytest.LogCaptureFixture) -> None:
    with quiet():
        assert not messages(caplog)
    after = messages(caplog)
    assert "GPU available" in after
    assert "Seed set to 3" in after
    with quiet():
        logging.getLogger("lightning.pytorch.utilities.rank_zero").warning("Restored all states")
    assert "Restored all states" in caplog.text


def test_other_warnings_pass() -> None:
    with quiet():
        warnings.warn("The dirpath has changed from a to b", UserWarning, stacklevel=1)
        with pytest.warns(UserWarning, match="weights"):
            warnings.warn("no weights", UserWarning, stacklevel=1)
