from pathlib import Path

import pytest

from tests import digits_table


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the small table has run without a disturbance."""
    folder = tmp_path_factory.mktemp("alone")
    assert digits_table.start(folder).wait() == 0, (folder / "out").read_text()
    assert len(digits_table.figures(folder)) == 2
    return folder
