"""The text of ``results/hmc.md``."""

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version

from benchmarks.hmc.comparison import DISTANCE, NLL, UNCERTAINTY
from benchmarks.hmc.experiment import FULL
from benchmarks.hmc.report import Line, comparison_table, sampler_table

HEAD = """# Beside the gold standard

Command: `OMP_NUM_THREADS=1 python -m benchmarks.hmc`, with the extra `hmc`.
[docs/gold_standard.md](../docs/gold_standard.md) says how to read it, and what it shows.

Device: {device}. Commit: {commit}. Versions: {versions}. Seeds: 0 for the data and the sampler, 0 to {last} for the
networks. Times are of a machine that others used too.

The same data, network, prior N(0, 1) of every weight and bias, and likelihood for all. NUTS: {chains} chains, each with
{warmup} draws for its adaptation and {samples} that are kept, and trajectories of at most 255 steps. Bayes by Backprop:
factorised Gaussian posteriors with the lecture's sigma^2 = log(1 + e^rho), sigma = 0.0067 at the start, {epochs} epochs
of 4 minibatches by Adam, rate 0.02 falling to 0 like a cosine, {draws} draws each; the figures are means and standard
deviations over {members} seeds. Ensembles: the same {members} posteriors mixed; {members} networks at maxima of the
joint density, after {point_epochs} epochs. All networks of a kind are trained side by side; the seconds of Bayes by
Backprop are its share.

## The sampler

R-hat and effective draws are the worst of some 60 inputs, for f(x) on the line and for the probability of a class on
the plane: weights are not identified, since hidden units can be exchanged.

{sampler}
"""
SECTIONS = {
    "line": (
        """
## Regression with a gap

1-50-1, tanh; 40 targets sin 2x with noise N(0, 0.1^2), which is known. Inside: 0.7 <= |x| <= 2, where the training
inputs are; gap: |x| < 0.7; outside: 2 < |x| <= 3. Distance: root mean square difference from NUTS' predictive mean. Sd:
geometric mean of the standard deviation of f(x) over draws of the weights, for NUTS in units of y, for the others
by NUTS'. Test NLL: nats per example of 3,000 fresh examples. Half of the chains: as far from all of them as these are
from the exact posterior.

""",
        {DISTANCE: "RMSE of the mean", UNCERTAINTY: "sd of f(x)", NLL: "test NLL"},
    ),
    "moons": (
        """
## Two moons

2-16-16-2, tanh; 100 examples of scikit-learn's `make_moons` with noise 0.2. Near: at most 0.4 from a training input;
far: the rest of the square of 6 by 6 around them. Distance: mean total variation distance from NUTS' predictive
probabilities. MI: mean mutual information of class and weights, for NUTS in nats, for the others by NUTS'. Test NLL:
nats per example of 2,000 fresh examples, few of which are far.

""",
        {DISTANCE: "total variation", UNCERTAINTY: "MI", NLL: "test NLL"},
    ),
}

FINDINGS = """
## Where mean field is too narrow

Where there are no data: on the line 0.89 times NUTS' standard deviation in the gap and 0.63 times outside, about a
third at the ends, where it makes the test NLL 5.6 nats instead of 1.2; on the moons in the two corners that NUTS'
boundary runs into. Among the data it is too wide, 3.4 times on the line and 3.2 times in mutual information on the
moons, whose boundary it makes almost straight. What it cannot do is to be certain here and uncertain there: from
inside to the gap NUTS' standard deviation grows 5.9 times, that of mean field 1.5 times. Foong et al. (2020), On the
Expressiveness of Approximate Inference in Bayesian Neural Networks, found that, and proved it for one hidden layer of
rectifiers. Mixing ten of them changes little. Point estimates have the mean nearest to NUTS' among the data, almost
no uncertainty, and in places the best test NLL, which does not tell how near a posterior is (Yao et al. 2019, Quality
of Uncertainty Quantification for Bayesian Neural Network Inference). On large networks ensembles are nearer to HMC
than mean field too (Izmailov et al. 2021, What Are Bayesian Neural Network Posteriors Really Like?).
"""  # of the full run, by hand


def page(lines: Sequence[Line], device: str, commit: str) -> str:
    """All of it."""
    text = HEAD.format(
        device=device,
        commit=commit,
        versions=", ".join(f"{package} {version(package)}" for package in ("numpyro", "jax", "torch")),
        last=FULL.members - 1,
        sampler=sampler_table(lines),
        **asdict(FULL),
    )
    for problem in dict.fromkeys(line.problem for line in lines):
        description, headings = SECTIONS[problem]
        text += description + comparison_table([line for line in lines if line.problem == problem], headings)
        text += f"\n\n![{problem}](hmc_{problem}.png)\n"
    return text + FINDINGS
