"""Models against many subjects: tables, ceilings, levels and coverage."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import pdist

from sksim import (
    CKA,
    RSA,
    Disagreement,
    OrthogonalProcrustes,
    PerformanceDifference,
    noise_ceiling,
    similarity_interval,
    similarity_to_group,
)
from sksim.inference._subjects import SubjectTest, chosen_test

FAST = RSA("euclidean", "pearson")


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(24, 6))
    subjects = [common + rng.normal(size=common.shape) for _ in range(7)]
    models = {"near": common, "half": common[:, :2], "other": rng.normal(size=(24, 4))}
    return models, subjects


def _values(measure, models, subjects):
    return np.array(
        [[measure.fit(X, y).score_ for X in models.values()] for y in subjects]
    )


# ----- tables -------------------------------------------------------------------------


def test_values_means_and_ceilings(data):
    models, subjects = data
    result = similarity_to_group(FAST, models, subjects, random_state=0)
    values = _values(FAST, models, subjects)
    np.testing.assert_allclose(result.values, values)
    assert list(result.values.columns) == list(models)
    frame = result.to_frame()
    np.testing.assert_allclose(frame["mean"], values.mean(axis=0))
    error = values.std(axis=0, ddof=1) / 7**0.5
    np.testing.assert_allclose(frame["standard_error"], error)
    width = error * stats.t(6).ppf(0.975)
    np.testing.assert_allclose(frame["interval_low"], values.mean(axis=0) - width)
    ceiling = noise_ceiling(FAST, subjects)
    assert (frame["lower_ceiling"] == ceiling.lower).all()
    assert result.ceiling.upper == ceiling.upper
    assert frame.loc["near", "mean"] > ceiling.lower > frame.loc["half", "mean"]
    np.testing.assert_array_equal(frame["chance"], 0)


def test_pairs_of_models(data):
    models, subjects = data
    result = similarity_to_group(FAST, models, subjects, random_state=0)
    values = _values(FAST, models, subjects)
    pairs = result.pairs
    assert pairs[["first", "second"]].to_numpy().tolist() == [
        ["near", "half"],
        ["near", "other"],
        ["half", "other"],
    ]
    for row, (i, j) in zip(
        pairs.itertuples(), itertools.combinations(range(3), 2), strict=True
    ):
        difference = values[:, i] - values[:, j]
        assert row.difference == pytest.approx(difference.mean())
        signs = np.array(list(itertools.product([1, -1], repeat=7)))
        count = np.sum(abs(signs @ difference) >= abs(difference.sum()) - 1e-12)
        assert row.pvalue == pytest.approx(count / 128)
        assert row.pvalue_adjusted >= row.pvalue
        error = difference.std(ddof=1) / 7**0.5
        width = error * stats.t(6).ppf(1 - 0.025 / 3)
        assert row.interval_high == pytest.approx(difference.mean() + width)
        assert row.differ == (row.pvalue_adjusted <= 0.05)
    assert pairs.loc[1, "differ"]


def test_one_model(data):
    models, subjects = data
    result = similarity_to_group("RSA", models["near"], subjects)
    assert list(result.models.index) == ["X"]
    assert len(result.pairs) == 0
    assert "differ" in result.pairs
    row = result.models.loc["X"]
    assert row["pvalue"] == row["pvalue_adjusted"] == 1 / 128
    many = similarity_to_group("RSA", list(models.values()), subjects)
    assert list(many.models.index) == ["0", "1", "2"]
    nested = similarity_to_group("RSA", models["near"].tolist(), subjects)
    assert nested.models.equals(result.models)
    table = similarity_to_group("RSA", pd.DataFrame(models["near"]), subjects)
    assert list(table.models.index) == ["X"]


def test_students_t(data):
    models, subjects = data
    values = _values(FAST, models, subjects)
    result = similarity_to_group(FAST, models, subjects, method="t", random_state=0)
    expected = stats.ttest_1samp(values, 0, alternative="greater").pvalue
    np.testing.assert_allclose(result.models["pvalue"], expected)
    expected = stats.ttest_rel(values[:, 0], values[:, 1]).pvalue
    assert result.pairs.loc[0, "pvalue"] == pytest.approx(expected)
    assert (result.pairs["pvalue_adjusted"] >= result.pairs["pvalue"]).all()
    # far beyond what random rotations can tell, and no less than what they can
    assert result.pairs["pvalue_adjusted"].max() >= 1e-4


@pytest.mark.parametrize(
    ("n_subjects", "level", "expected"),
    [(5, 0.05, "t"), (6, 0.05, "t"), (7, 0.05, "sign_flip"), (7, 0.01, "t")],
)
def test_signs_are_flipped_where_they_can_find_anything(n_subjects, level, expected):
    assert chosen_test("auto", n_subjects, level) == expected
    assert chosen_test("t", n_subjects, level) == "t"


def test_signs_by_hand():
    values = np.array([[3.0, 1.0], [2.0, -1.0], [1.0, 1.0]])
    test = SubjectTest.of("sign_flip", 3, 99, 0)
    assert test.exact
    pvalues, adjusted = test.pvalues(values, two_sided=False, rounding=1e-12)
    # of 8 choices one gives 6 or more, and four give 1 or more
    np.testing.assert_allclose(pvalues, [1 / 8, 4 / 8])
    assert adjusted[1] >= 4 / 8
    pvalues, _ = test.pvalues(values, two_sided=True, rounding=1e-12)
    np.testing.assert_allclose(pvalues, [2 / 8, 1])
    zero = SubjectTest.of("t", 3, 99, 0)
    pvalues, _ = zero.pvalues(np.zeros((3, 2)), two_sided=True, rounding=1e-12)
    np.testing.assert_allclose(pvalues, 1)


def test_random_signs_are_drawn_once_for_all():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 2)) + 0.3
    tests = [SubjectTest.of("sign_flip", 20, 999, seed) for seed in (0, 0, 1)]
    found = [test.pvalues(values, two_sided=True, rounding=0)[0] for test in tests]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.any(found[0] != found[2])
    assert not tests[0].exact
    np.testing.assert_allclose(found[0], stats.ttest_1samp(values, 0).pvalue, atol=0.03)


# ----- chance -------------------------------------------------------------------------


def test_chance(data):
    models, subjects = data
    cosine = RSA("euclidean", "cosine")
    result = similarity_to_group(cosine, models, subjects)
    # cosines of distances are large whatever the model is
    assert (result.models["chance"] > 0.8).all()
    assert (
        result.models.loc["other", "pvalue"]
        > 0.05
        > result.models.loc["near", "pvalue"]
    )
    biased = similarity_to_group(CKA(), models, subjects).models
    expected = [CKA()._open(models["other"], y).null_mean() for y in subjects]
    assert biased.loc["other", "chance"] == pytest.approx(np.mean(expected))
    unknown = similarity_to_group(OrthogonalProcrustes(), models, subjects)
    assert unknown.models[["chance", "pvalue", "pvalue_adjusted"]].isna().all(axis=None)
    assert unknown.pairs["pvalue_adjusted"].notna().all()
    given = similarity_to_group(OrthogonalProcrustes(), models, subjects, chance=-1.2)
    assert given.models["pvalue"].notna().all()
    each = similarity_to_group(FAST, models, subjects, chance=np.full(7, 0.2))
    same = similarity_to_group(FAST, models, subjects, chance=0.2)
    assert each.models.equals(same.models)
    assert (
        similarity_to_group(FAST, models, subjects, chance=None)
        .models["pvalue"]
        .isna()
        .all()
    )


def test_ceilings_where_there_are_any(data):
    models, subjects = data
    none = similarity_to_group(FAST, models, subjects, pool=None)
    assert none.ceiling is None
    assert none.to_frame()["upper_ceiling"].isna().all()
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=30)
    labels = [np.where(rng.random(30) < 0.8, truth, 1 - truth) for _ in range(7)]
    assert similarity_to_group(Disagreement(), truth, labels).ceiling is None
    with pytest.raises(ValueError, match="of which there is no mean"):
        similarity_to_group(Disagreement(), truth, labels, pool="rows")
    widths = [subjects[0], *(y[:, :3] for y in subjects)]
    assert (
        similarity_to_group(
            "LinearRegressionSimilarity",
            truth[:24, None] + subjects[0],
            widths,
            pool="auto",
        ).ceiling
        is not None
    )


# ----- stimuli, and both --------------------------------------------------------------


def test_over_stimuli_is_the_jackknife(data):
    models, subjects = data
    result = similarity_to_group(FAST, models, subjects, over="stimuli")
    kept = [np.delete(np.arange(24), i) for i in range(24)]
    without = np.array(
        [
            _values(
                FAST,
                {name: X[rows] for name, X in models.items()},
                [y[rows] for y in subjects],
            ).mean(axis=0)
            for rows in kept
        ]
    )
    error = np.sqrt(23 * without.var(axis=0))
    np.testing.assert_allclose(result.models["standard_error"], error)
    difference = without[:, 0] - without[:, 1]
    assert result.pairs.loc[0, "standard_error"] == pytest.approx(
        np.sqrt(23 * difference.var())
    )
    assert result.n_resamples == 24
    assert result.method == "t"
    t = result.models["mean"] / error
    np.testing.assert_allclose(result.models["pvalue"], stats.t(23).sf(t))
    # measures that have no weights are refitted
    procrustes = OrthogonalProcrustes()
    one = similarity_to_group(procrustes, models["near"], subjects[:1], over="stimuli")
    expected = similarity_interval(procrustes, models["near"], subjects[0])
    assert one.models.loc["X", "standard_error"] == pytest.approx(
        expected.standard_error
    )


def test_groups_and_strata_of_stimuli(data):
    models, subjects = data
    groups = np.repeat(np.arange(12), 2)
    for over in ("stimuli", "both"):
        options = {"over": over, "random_state": 0, "n_resamples": 200}
        plain = similarity_to_group(FAST, models, subjects, **options)
        grouped = similarity_to_group(FAST, models, subjects, groups=groups, **options)
        stratified = similarity_to_group(
            FAST, models, subjects, strata=np.arange(24) % 2, **options
        )
        found = [
            r.models.loc["near", "standard_error"] for r in (plain, grouped, stratified)
        ]
        assert len(set(found)) == 3
        assert grouped.n_resamples == (12 if over == "stimuli" else 200)
    with pytest.raises(ValueError, match="groups and strata say how stimuli vary"):
        similarity_to_group(FAST, models, subjects, groups=groups)
    with pytest.raises(ValueError, match="There are 2 groups"):
        similarity_to_group(
            FAST, models, subjects, groups=np.arange(24) % 2, over="stimuli"
        )


def test_variance_of_two_factors_by_hand():
    """Numbers whose variances of subjects, stimuli and both are known."""
    from sksim.inference._resampling import make_plan
    from sksim.inference._two_factors import Resampled

    rng = np.random.default_rng(0)
    R, n, B = 10, 30, 2000
    parts = 0.5, 1.0, 3.0
    found, naive = [], []
    for _ in range(150):
        s, c, i = (rng.normal(size=size) for size in ((R, 1), (1, n), (R, n)))
        table = parts[0] * s + parts[1] * c + parts[2] * i
        counts = rng.multinomial(n, np.full(n, 1 / n), size=B // 10)
        drawn = (counts @ table.T / n)[:, None, :]
        plan = make_plan("masked_bootstrap", np.zeros(n, dtype=int), None, 0)
        errors = Resampled(drawn, plan).errors_of_both(
            np.eye(1), table.mean(axis=1, keepdims=True)
        )
        found.append(errors.standard_errors[0] ** 2)
        resampled = drawn[:, 0][
            np.arange(B // 10)[:, None], rng.integers(R, size=(B // 10, R))
        ]
        naive.append(resampled.mean(axis=1).var())
    truth = parts[0] ** 2 / R + parts[1] ** 2 / n + parts[2] ** 2 / (R * n)
    error = np.std(found) / 150**0.5
    assert np.mean(found) == pytest.approx(truth, abs=3 * error)
    assert errors.degrees == 9
    # drawing both without the correction counts what both make together three times
    assert np.mean(naive) > 1.3 * truth


def test_draws_follow_the_seed_and_not_the_jobs(data):
    models, subjects = data
    options = {"over": "both", "n_resamples": 30}
    first, again, parallel, other = (
        similarity_to_group(FAST, models, subjects, random_state=s, n_jobs=j, **options)
        for s, j in ((0, None), (0, None), (0, 2), (1, None))
    )
    assert first.models.equals(again.models)
    assert first.models.equals(parallel.models)
    assert not first.models.equals(other.models)
    debiased = similarity_to_group(CKA(debias="rows"), models, subjects, **options)
    assert (debiased.models["standard_error"] > 0).all()


def test_given_dissimilarities_and_outputs():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(24, 6))
    subjects = [pdist(common + rng.normal(size=common.shape)) for _ in range(5)]
    subjects[2][3] = np.nan
    models = {"near": pdist(common), "half": pdist(common[:, :3])}
    options = {"over": "both", "n_resamples": 50, "random_state": 0}
    with pytest.warns(UserWarning, match="missing"):
        result = similarity_to_group(
            RSA("precomputed"), models, subjects, chance=0, **options
        )
    assert result.models.loc["near", "pvalue"] < 0.05
    truth = rng.integers(2, size=60)
    labels = [np.where(rng.random(60) < 0.8, truth, 1 - truth) for _ in range(5)]
    result = similarity_to_group(Disagreement(), truth, labels, **options)
    shares = [np.mean(truth != y) for y in labels]
    error = result.models.loc["X", "standard_error"]
    assert result.models.loc["X", "mean"] == pytest.approx(-np.mean(shares))
    # rows are drawn anew, and differ independently
    assert error == pytest.approx((0.2 * 0.8 / 300) ** 0.5, rel=0.5)


def test_refusals(data):
    models, subjects = data
    with pytest.raises(ValueError, match="one subject.*over='stimuli'"):
        similarity_to_group(FAST, models, subjects[:1])
    with pytest.raises(ValueError, match="OrthogonalProcrustes.*pairs of copies"):
        similarity_to_group(OrthogonalProcrustes(), models, subjects, over="both")
    with pytest.raises(ValueError, match="RSA.*pairs of copies"):
        similarity_to_group(RSA(comparison="kendall"), models, subjects, over="both")
    with pytest.raises(ValueError, match="numbers of rows differ"):
        similarity_to_group(FAST, models, [*subjects, subjects[0][:9]])
    with pytest.raises(ValueError, match="chance has 3 entries for 7 subjects"):
        similarity_to_group(FAST, models, subjects, chance=[0, 0, 0])
    with pytest.raises(ValueError, match="one for each subject"):
        similarity_to_group(FAST, models, subjects, chance=np.zeros((7, 3)))
    with pytest.raises(ValueError, match="'sign_flip' asks of other subjects"):
        similarity_to_group(FAST, models, subjects, over="both", method="sign_flip")
    with pytest.raises(ValueError, match="drops a sign"):
        similarity_to_group(
            PerformanceDifference(),
            np.arange(24) % 2,
            [np.arange(24) % 3 % 2] * 3,
            y_true=np.arange(24) % 2,
            over="stimuli",
        )
    with pytest.raises(ValueError, match="compares models, not rows"):
        similarity_to_group("DecisionDistance", models, subjects, over="stimuli")
    with pytest.raises(ValueError, match="X is empty"):
        similarity_to_group(FAST, {}, subjects)


# ----- levels and coverage ------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("n_subjects", [5, 8, 20])
def test_levels_with_few_subjects(n_subjects):
    """Models and subjects that have nothing in common: one, four, and their pairs."""
    rng = np.random.default_rng(n_subjects)
    found = []
    for _ in range(1000):
        models, subjects = (list(rng.normal(size=(k, 20, 5))) for k in (4, n_subjects))
        result = similarity_to_group(
            FAST, models, subjects, pool=None, n_permutations=999, random_state=0
        )
        one, two = result.models["pvalue"].iloc[0], result.pairs["pvalue"].iloc[0]
        adjusted = (t["pvalue_adjusted"].min() for t in (result.models, result.pairs))
        found.append([one, two, *adjusted])
    levels = np.mean(np.array(found) <= 0.05, axis=0)
    # three standard errors of a share of 1000 are .021
    assert np.all((levels > 0.03 - 0.01) & (levels < 0.06 + 0.01))


@pytest.mark.slow
def test_level_and_coverage_over_both():
    """Two models that are equally good for the stimuli and subjects that there are."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        latent = rng.normal(size=(40, 6))
        models = [latent[:, :3], latent[:, 3:]]
        subjects = []
        for _ in range(8):
            weights = rng.normal(size=(6, 12))
            weights[:3] *= np.exp(0.3 * rng.normal())
            subjects.append(latent @ weights + 2.5 * rng.normal(size=(40, 12)))
        result = similarity_to_group(
            FAST,
            models,
            subjects,
            pool=None,
            over="both",
            n_resamples=200,
            random_state=0,
        )
        row = result.models.iloc[0]
        limits = row[["mean", "interval_low", "interval_high"]].to_numpy()
        found.append([*limits, result.pairs.loc[0, "pvalue"]])
    mean, low, high, pvalue = np.array(found).T
    assert 0.92 < np.mean((low <= mean.mean()) & (mean.mean() <= high)) < 0.995
    assert 0.01 < np.mean(pvalue <= 0.05) < 0.08
