from pathlib import Path

import pytest

from lightning_vi.table.jobs import MISTAKE, Job
from lightning_vi.table.rows import Row
from lightning_vi.table.runs import Run


class Ended(Job):
    def poll(self) -> int | None:
        return 0

    def cancel(self) -> None:
        pass

    def wait(self) -> None:
        pass


NOTE = "lightning-vi: the same command goes on from here with --ckpt_path a.ckpt"


@pytest.mark.parametrize(
    ("code", "printed", "reason"),
    [
        (
            MISTAKE,
            ["Epoch 1/2", "lightning-vi: nll (=inf) is not finite.", "Lower it."],
            "nll (=inf) is not finite. Lower it.",
        ),
        (MISTAKE, ["lightning-vi: W&B is gone.", "lightning-vi: there is no option 'x'."], "there is no option 'x'."),
        (MISTAKE, ["usage", "error: x"], "error: x"),
        (1, ["Traceback:", "  File", "KeyError: 'a'", NOTE], "KeyError: 'a'"),
        (1, ["Traceback:", "KeyError: 'a'"], "KeyError: 'a'"),
        (-9, ["Epoch 1/2", ""], "ended by SIGKILL; last: Epoch 1/2"),
        (1, [], "it has printed nothing"),
        (MISTAKE, [], "it has printed nothing"),
    ],
)
def test_the_reason_is_what_was_told(
    code: int, printed: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job = Ended(Run("t", Row("a", {}, ["bbb_digits.yaml"], seeds=(0,)), 0))
    for line in printed:
        job.note(line)
    assert job.reason(code) == reason
