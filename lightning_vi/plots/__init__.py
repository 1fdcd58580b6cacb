"""The project's pictures: pure functions from numbers to a matplotlib `Figure`.

They use matplotlib's object-oriented interface, never pyplot: no display is needed, no global list of
figures grows, and a figure is freed with its last reference. They depend on nothing else of this package,
so that anything may import them.
"""

from lightning_vi.plots.bands import predictive_bands as predictive_bands
from lightning_vi.plots.class_probabilities import class_probabilities as class_probabilities
from lightning_vi.plots.curves import learning_curves as learning_curves
from lightning_vi.plots.error_curves import errors_over_epochs as errors_over_epochs
from lightning_vi.plots.images import image_grid as image_grid
from lightning_vi.plots.latent_codes import code_scatter as code_scatter
from lightning_vi.plots.latent_manifold import manifold_grid as manifold_grid
from lightning_vi.plots.latent_tiles import image_rows as image_rows
from lightning_vi.plots.latent_usage import usage_bars as usage_bars
from lightning_vi.plots.learned_map import learned_map as learned_map
from lightning_vi.plots.pit import pit_histogram as pit_histogram
from lightning_vi.plots.pruning import pruning_curve as pruning_curve
from lightning_vi.plots.rejection import accuracy_rejection as accuracy_rejection
from lightning_vi.plots.reliability import reliability_diagram as reliability_diagram
from lightning_vi.plots.shift import shift_curves as shift_curves
from lightning_vi.plots.weights import signal_to_noise as signal_to_noise
