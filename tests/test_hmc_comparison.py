import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.hmc import pictures
from benchmarks.hmc.comparison import DISTANCE, NLL, UNCERTAINTY, compare, distance, uncertainty
from benchmarks.hmc.problems import FAR, GAP, INSIDE, NEAR, OUTSIDE, Problem, line, moons
from benchmarks.hmc.report import MEAN_FIELD, NUTS, SECONDS, Line, comparison_table, save_csv
from benchmarks.hmc.training import mean_fields, point_estimates
from lightning_vi.bayesian import BayesianModule
from lightning_vi.likelihoods import Gaussian
from lightning_vi.predictive import Predictive
from tests.straight_line import straight


def test_mean_fields_find_the_optimum_of_a_line() -> None:
    # Their means are exact, their variances those of each weight given the others, 1 / precision_ii.
    problem, features, precision, mean = straight()
    module = mean_fields(problem, epochs=400, members=3, draws=1000)
    weights = module.networks
    assert isinstance(weights, BayesianModule)
    found = {name: (weights.split(weights.mu)[name], weights.split(weights.sigma)[name]) for name in weights.mean()}
    for number, name in enumerate(("output/weight", "output/bias")):
        mu, sigma = (each.detach().flatten() for each in found[name])
        torch.testing.assert_close(mu, mean[number].expand(3), atol=0.03, rtol=0.0)
        torch.testing.assert_close(sigma, precision[number, number].rsqrt().expand(3), atol=0.0, rtol=0.1)
    variance = Predictive(problem.likelihood, module.outputs(problem.grid)[0].detach()).epistemic_variance
    torch.testing.assert_close(variance.squeeze(1), features.square() @ precision.diag().reciprocal(), atol=0, rtol=0.3)


def test_point_estimates_are_at_the_maximum_of_the_joint_density() -> None:
    problem, features, _, mean = straight()
    found = point_estimates(problem, epochs=150, members=3).predictive(problem.grid)
    torch.testing.assert_close(found.outputs.squeeze(-1), (features @ mean).expand(3, -1), atol=1e-2, rtol=0.0)


@pytest.mark.parametrize(("problem", "names"), [(line(), {INSIDE, GAP, OUTSIDE}), (moons(), {NEAR, FAR})])
def test_regions_are_a_partition_and_training_data_lie_in_the_first(problem: Problem, names: set[str]) -> None:
    for inputs in (problem.grid, problem.test.tensors[0]):
        regions = problem.regions(inputs)
        assert set(regions) == names
        assert torch.stack(list(regions.values())).sum(dim=0).eq(1).all()
        assert all(where.any() for where in regions.values())
    first, *_ = problem.regions(problem.training.tensors[0]).values()
    assert first.all()


def numbers(shift: float, width: float) -> Predictive:
    """Two functions, shift - width and shift + width on all of the grid of 241 inputs."""
    return Predictive(Gaussian(0.1), torch.tensor([-width, width]).add(shift).view(2, 1, 1).expand(2, 241, 1))


def classes(*probabilities: float) -> Predictive:
    """Functions with these probabilities of class 1 on all of the grid."""
    p = torch.tensor(probabilities).view(-1, 1, 1).expand(-1, 3721, 1)
    return Predictive(moons().likelihood, torch.cat([1 - p, p], dim=-1).log())


def test_of_numbers_the_distance_is_that_of_means_and_the_uncertainty_a_standard_deviation() -> None:
    where = line().regions(line().grid)[GAP]
    assert distance(line(), numbers(0.0, 1.0), numbers(0.3, 2.0), where) == pytest.approx(0.3)
    assert uncertainty(line(), numbers(0.3, 2.0), where) == pytest.approx(2.0)


def test_of_classes_the_distance_is_total_variation_and_the_uncertainty_mutual_information() -> None:
    where = moons().regions(moons().grid)[FAR]
    assert distance(moons(), classes(0.5), classes(0.9, 0.3), where) == pytest.approx(0.1)
    entropy = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    assert uncertainty(moons(), classes(0.9, 0.1), where) == pytest.approx(math.log(2) - entropy, rel=1e-5)
    assert uncertainty(moons(), classes(0.9), where) == pytest.approx(0.0, abs=1e-6)


def test_all_measures_in_all_regions() -> None:
    problem = line()
    on_test = Predictive(problem.likelihood, problem.test.tensors[1].unsqueeze(0))
    figures = compare(problem, numbers(0.0, 1.0), numbers(0.0, 1.0), on_test)
    assert {figure[:2] for figure in figures} == {
        (measure, region) for measure in (DISTANCE, UNCERTAINTY, NLL) for region in (INSIDE, GAP, OUTSIDE)
    }
    density = math.log(0.1) + 0.5 * math.log(2 * math.pi)  # of targets that are predicted exactly
    for measure, _, value in figures:
        assert value == pytest.approx({DISTANCE: 0.0, UNCERTAINTY: 1.0, NLL: density}[measure], abs=1e-5)


def results() -> list[Line]:
    values = {DISTANCE: 0.0, UNCERTAINTY: 0.5, NLL: -0.8}
    lines = [Line("line", NUTS, 0, measure, GAP, value) for measure, value in values.items()]
    for seed, width in ((0, 0.1), (1, 0.2)):
        lines += [
            Line("line", MEAN_FIELD, seed, measure, GAP, value)
            for measure, value in {DISTANCE: 0.25, UNCERTAINTY: width, NLL: 3.0}.items()
        ]
    return lines + [Line("line", method, 0, SECONDS, "", 12.3) for method in (NUTS, MEAN_FIELD)]


def test_the_table_has_uncertainties_by_the_samplers() -> None:
    headings = {DISTANCE: "RMSE", UNCERTAINTY: "sd", NLL: "NLL"}
    head, _, sampler, ours = comparison_table(results(), headings).splitlines()
    assert head == "| method | RMSE, gap | sd, gap | NLL, gap | seconds |"
    assert sampler == "| NUTS | 0.00 | 0.500 | -0.800 | 12 |"
    assert ours == "| Bayes by Backprop | 0.250 ± 0 | × 0.300 ± 0.14 | 3.00 ± 0 | 12 |"


def test_the_csv_has_every_number(tmp_path: Path) -> None:
    save_csv(results(), "device", "commit", tmp_path / "hmc.csv")
    first, *others = csv.DictReader((tmp_path / "hmc.csv").read_text().splitlines())
    assert first == {
        "problem": "line",
        "method": NUTS,
        "seed": "0",
        "measure": DISTANCE,
        "region": GAP,
        "value": "0",
        "device": "device",
        "commit": "commit",
    }
    assert len(others) == len(results()) - 1


def test_panels_have_one_scale() -> None:
    figure = pictures.bands(line(), {"one": [numbers(0.0, 1.0)], "two": [numbers(3.0, 0.1), numbers(2.0, 0.1)]})
    one, two, widths = figure.axes
    assert one.get_ylim() == two.get_ylim()
    assert [np.asarray(curve.get_ydata())[0] for curve in widths.lines] == pytest.approx([1.0, 0.1, 0.1], rel=1e-4)


def test_maps_have_one_scale_in_each_row() -> None:
    logits = moons().grid[:, 1:] * torch.tensor([-2.0, 4.0]).view(-1, 1, 1)
    unsure = Predictive(moons().likelihood, logits.expand(2, -1, 2) * torch.tensor([0.0, 1.0]))
    sure = Predictive(moons().likelihood, unsure.outputs[:1])
    figure = pictures.maps(moons(), {"unsure": [unsure], "sure": [sure]})
    limits = torch.tensor([axes.collections[0].get_clim() for axes in figure.axes[:4]])
    torch.testing.assert_close(limits[:2], torch.tensor([[0.0, math.log(2)]]).expand(2, 2), atol=1e-3, rtol=0.0)
    top = unsure.mutual_information.max().item()
    torch.testing.assert_close(limits[2:], torch.tensor([[0.0, top]]).expand(2, 2))
