import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR

from lightning_vi.__main__ import main
from lightning_vi.foreign_errors import mistake
from tests.elsewhere import elsewhere as elsewhere

SHORT = [
    "--config=bbb_digits.yaml",
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=2",
    "--trainer.limit_train_batches=1",
    "--trainer.limit_val_batches=0",
    "--model.net.hidden=[8]",
]


def caught(*settings: int) -> Exception:
    """What a schedule raises at its first step."""
    kind, *arguments = StepLR if len(settings) == 1 else CosineAnnealingLR, *settings
    optimizer = SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    schedule = kind(optimizer, *arguments)
    optimizer.step()
    with pytest.raises(ZeroDivisionError) as raised:
        schedule.step()
    return raised.value


def test_what_a_schedule_cannot_compute_is_told() -> None:
    told = "its arguments do not fit: "
    assert str(mistake(caught(0))).startswith(f"StepLR: {told}")
    assert str(mistake(caught(0, 1))).startswith(f"CosineAnnealingLR: {told}")


def test_what_an_optimizer_cannot_compute_is_told() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = SGD([weight], lr=0.1)
    optimizer.param_groups[0]["lr"] = "fast"
    weight.grad = torch.ones(2)
    with pytest.raises(TypeError) as raised:
        optimizer.step()
    assert str(mistake(raised.value)).startswith("SGD: its arguments do not fit: ")


def test_errors_of_devices_and_of_other_code_are_bugs_or_told_elsewhere() -> None:
    def fails(error: Exception) -> Exception:
        with pytest.raises(type(error)) as raised:
            raise error
        return raised.value

    assert mistake(fails(ZeroDivisionError("division by zero"))) is None
    assert mistake(fails(ValueError("mine"))) is None
    optimizer = SGD([nn.Parameter(torch.ones(2))], lr=0.1)

    def closure() -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError) as raised:
        optimizer.step(closure)
    assert mistake(raised.value) is None


def test_through_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    schedule = ["--model.lr_scheduler=StepLR", "--model.lr_scheduler.step_size=0"]
    assert main(["fit", *SHORT, *schedule]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lightning-vi: StepLR: its arguments do not fit: ")
    assert line.endswith(". Change them.")
