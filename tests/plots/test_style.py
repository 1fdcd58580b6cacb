import subprocess
import sys

import matplotlib as mpl

from lightning_vi.plots.style import RC, style


def test_leaves_the_users_settings_as_they_were() -> None:
    before = {name: mpl.rcParams[name] for name in RC}
    with style():
        assert mpl.rcParams["axes.spines.top"] is False
    assert {name: mpl.rcParams[name] for name in RC} == before


def test_plots_need_no_display() -> None:
    code = "import sys, lightning_vi.plots; sys.exit('matplotlib.pyplot' in sys.modules or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
