"""How often the gate passes, in simulated evaluations whose truth is known.

Each repetition is a slice, so that one call compares a thousand pairs of versions. Versions score a latent quality: `skill` apart
between the classes, correlated between the versions, and turned into probabilities that are right (`sharpness` is the skill) or
overconfident (more). The true values of the metrics are integrals, not simulations.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import optimize, stats

from airflow_registry.domain.stats.paired import paired_differences
from airflow_registry.domain.stats.proportions import ProportionDifference
from airflow_registry.domain.stats.rows import Scored

POSITIVES, CORRELATION = 0.4, 0.7
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(200)


@dataclass(frozen=True)
class Version:
    skill: float
    sharpness: float

    def true(self, metric):
        if metric == "roc_auc":
            return stats.norm.cdf(self.skill / np.sqrt(2))
        if metric == "accuracy":
            return stats.norm.cdf(self.skill / 2)
        odds = np.log(POSITIVES / (1 - POSITIVES))
        losses = [
            WEIGHTS @ np.logaddexp(0, sign * (self.sharpness * (NODES + shift) + odds)) / WEIGHTS.sum()
            for sign, shift in ((-1, self.skill / 2), (1, -self.skill / 2))
        ]
        return POSITIVES * losses[0] + (1 - POSITIVES) * losses[1]

    def answers(self, latent):
        log_odds = self.sharpness * (latent - self.skill / 2) + np.log(POSITIVES / (1 - POSITIVES))
        probability = 1 / (1 + np.exp(-log_odds))
        return Scored(
            predictions=(latent > self.skill / 2).astype(np.int8),
            scores=latent,
            probabilities=np.column_stack([1 - probability, probability]),
        )


def calibrated(skill):
    return Version(skill, skill)


def true_gain(metric, challenger, baseline):
    return (challenger.true(metric) - baseline.true(metric)) * (-1 if metric == "log_loss" else 1)


def passed(metric, challenger, baseline, rows, repetitions, border=0.0, alpha=0.05):
    """How many of so many evaluations pass."""
    random = np.random.default_rng([rows, repetitions, int(1000 * challenger.skill), int(1000 * challenger.sharpness)])
    at_once = max(1, min(repetitions, 400_000 // rows))
    count = 0
    for start in range(0, repetitions, at_once):
        n_slices = min(at_once, repetitions - start)
        labels = (random.random(rows * n_slices) < POSITIVES).astype(np.int8)
        shared = np.sqrt(CORRELATION) * random.normal(size=labels.size)
        versions = [
            version.answers(version.skill * labels + shared + np.sqrt(1 - CORRELATION) * random.normal(size=labels.size))
            for version in (challenger, baseline)
        ]
        codes = np.repeat(np.arange(n_slices), rows)
        found = paired_differences(metric, labels, *versions, codes=codes, n_slices=n_slices, seed=start)
        count += sum(found[at].p_value(border) < alpha for at in range(n_slices))
    return count


def most(repetitions, alpha):
    """The upper 99.9 % limit of how many of so many pass by accident."""
    return stats.binom.ppf(0.999, repetitions, alpha)


def as_overconfident_as_good(baseline):
    """A version that separates the classes better and is so overconfident that its log loss is the baseline's."""
    loss = baseline.true("log_loss")
    skill = optimize.brentq(lambda skill: Version(skill, 3 * skill).true("log_loss") - loss, baseline.skill, 6)
    return Version(skill, 3 * skill)


BASELINE = calibrated(1.2)
METRICS = ["accuracy", "roc_auc", "log_loss"]
SHORT = [(200, 400), (2000, 60), (20_000, 6)]
LONG = [(200, 20_000), (2000, 5000), (20_000, 2000)]
SIZES = [*SHORT, *(pytest.param(*size, marks=pytest.mark.soak) for size in LONG)]


@pytest.mark.parametrize(("rows", "repetitions"), SIZES)
@pytest.mark.parametrize("metric", METRICS)
def test_an_equal_challenger_passes_as_better_at_most_alpha_of_the_time(metric, rows, repetitions):
    count = passed(metric, BASELINE, BASELINE, rows, repetitions)
    print(f"\nequal, {metric}, n = {rows:,}: {count} of {repetitions:,} pass, {count / repetitions:.2%}")
    assert count <= most(repetitions, 0.05)


@pytest.mark.parametrize(("rows", "repetitions"), SIZES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_challenger_worse_by_the_margin_passes_as_no_worse_at_most_alpha_of_the_time(metric, rows, repetitions):
    worse = calibrated(1.1)
    border = true_gain(metric, worse, BASELINE)
    assert -0.05 < border < -0.01
    count = passed(metric, worse, BASELINE, rows, repetitions, border)
    print(f"\nworse by the margin, {metric}, n = {rows:,}, margin {-border:.4f}: {count} of {repetitions:,}, {count / repetitions:.2%}")
    assert count <= most(repetitions, 0.05)


@pytest.mark.parametrize(("rows", "repetitions"), SIZES)
def test_an_overconfident_challenger_of_the_same_log_loss_passes_at_most_alpha_of_the_time(rows, repetitions):
    challenger = as_overconfident_as_good(BASELINE)
    assert challenger.true("roc_auc") > BASELINE.true("roc_auc") + 0.02
    assert true_gain("log_loss", challenger, BASELINE) == pytest.approx(0, abs=1e-9)
    count = passed("log_loss", challenger, BASELINE, rows, repetitions)
    print(f"\noverconfident, log_loss, n = {rows:,}: {count} of {repetitions:,} pass, {count / repetitions:.2%}")
    assert count <= most(repetitions, 0.05)


@pytest.mark.soak
@pytest.mark.parametrize("metric", METRICS)
def test_under_holm_over_fifty_slices_any_passes_at_most_alpha_of_the_time(metric):
    each = 0.05 / 50
    count = passed(metric, BASELINE, BASELINE, 500, 50_000, alpha=each)
    print(f"\none of 50 slices, {metric}, n = 500: {count} of 50,000 pass, {count / 50_000:.3%}")
    assert count <= most(50_000, each)


@pytest.mark.parametrize("repetitions", [2000, pytest.param(50_000, marks=pytest.mark.soak)])
def test_a_challenger_one_point_better_in_accuracy_passes(repetitions):
    tables = np.random.default_rng(1).multinomial(20_000, [0.055, 0.045, 0.9], repetitions).tolist()
    count = sum(difference(wins, losses, 20_000).lower_limit(0.95) > 0 for wins, losses, _ in tables)
    print(f"\none point better, n = 20,000, 10 % differ: {count / repetitions:.2%} pass")
    assert count >= 0.9 * repetitions


def difference(wins, losses, rows):
    return ProportionDifference(metric="accuracy", rows=rows, challenger=0.0, baseline=0.0, wins=wins, losses=losses)
