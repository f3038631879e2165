"""Sums over batches of HSIC of layers by layers."""

import io

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from sksim.arrays._batch_grams import GramSums
from sksim.arrays._kernels import u_center
from sksim.rsm import CKA, MinibatchCKA

torch = pytest.importorskip("torch")


def layers(n_samples, widths=(5, 30, 80), seed=0, offset=0.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shared = np.random.default_rng(99).normal(size=(n_samples, 4))
    return {
        f"layer{i}": (
            shared @ rng.normal(size=(4, d)) + rng.normal(size=(n_samples, d)) + offset
        ).astype(dtype)
        for i, d in enumerate(widths)
    }


def batches_of(a, sizes):
    ends = np.cumsum(sizes)
    for start, end in zip(ends - sizes, ends, strict=True):
        yield {name: rows[start:end] for name, rows in a.items()}


def streamed(a, b, sizes, **params):
    sums = GramSums(**params)
    for parts in zip(batches_of(a, sizes), batches_of(b, sizes), strict=True):
        sums.update(*parts)
    return sums


def one_by_one(a, b, sizes, **params):
    values, errors = np.zeros((2, len(a), len(b)))
    for i, X in enumerate(a.values()):
        for j, y in enumerate(b.values()):
            measure = MinibatchCKA(**params)
            start = 0
            for size in sizes:
                measure.partial_fit(X[start : start + size], y[start : start + size])
                start += size
            values[i, j], errors[i, j] = measure.score_, measure.standard_error_
    return values, errors


# ----- the same as the measure, pair by pair ------------------------------------------


@pytest.mark.parametrize("sizes", [[40, 40, 40], [12, 3, 40, 4, 1, 60]])
@pytest.mark.parametrize("kernel", ["linear", "cosine", "laplacian"])
def test_is_the_measure_of_each_pair(kernel, sizes):
    a, b = layers(120), layers(120, widths=(7, 90), seed=1)
    sums = streamed(a, b, sizes, kernel=kernel)
    values, errors = one_by_one(a, b, sizes, kernel=kernel)
    assert_allclose(sums.scores, values, rtol=1e-10)
    assert_allclose(sums.standard_errors, errors, rtol=1e-8)
    assert (sums.n_samples, sums.n_waiting) == (120, 0)
    assert sums.names == (list(a), list(b))


def test_standard_error_by_hand():
    """By the delta method: the spread of what each batch adds, along the gradient."""
    a, b = layers(90), layers(90, seed=1)
    sizes = [20, 30, 40]
    terms = []
    for part_a, part_b in zip(batches_of(a, sizes), batches_of(b, sizes), strict=True):
        U, V = (
            u_center(rows @ rows.T, xp=np)
            for rows in (part_a["layer1"], part_b["layer2"])
        )
        terms.append([np.vdot(*pair) for pair in ((U, V), (U, U), (V, V))])
        terms[-1] = np.array(terms[-1]) / (len(U) - 3)
    xy, xx, yy = np.sum(terms, axis=0)
    value = xy / np.sqrt(xx * yy)
    gradient = [1 / np.sqrt(xx * yy), -value / (2 * xx), -value / (2 * yy)]
    along = np.array(terms) @ gradient
    sums = streamed(a, b, sizes)
    assert_allclose(sums.scores[1, 2], value)
    assert_allclose(sums.standard_errors[1, 2], np.sqrt(np.sum(along**2) * 3 / 2))


def test_one_batch_is_debiased_cka():
    a, b = layers(60), layers(60, seed=1)
    for kernel in ("linear", "rbf"):
        sums = streamed(a, b, [60], kernel=kernel)
        expected = CKA(kernel=kernel, debias="rows").fit(a["layer1"], b["layer2"])
        assert_allclose(sums.scores[1, 2], expected.score_, rtol=1e-10)
        assert np.isnan(sums.standard_errors).all()


@pytest.mark.parametrize("offset", [0.0, 3.0, 1e3])
def test_single_precision(offset):
    a = layers(200, (50, 5000), offset=offset, dtype=np.float32)
    b = layers(200, (3000,), seed=1, offset=offset, dtype=np.float32)
    sums = streamed(a, b, [50] * 4)
    exact = streamed(
        {k: v.astype(float) for k, v in a.items()},
        {k: v.astype(float) for k, v in b.items()},
        [50] * 4,
    )
    assert_allclose(sums.scores, exact.scores, atol=3e-6)


@pytest.mark.parametrize("width", [4096, 65536])
def test_wide_rows_of_full_rank_with_an_offset(width):
    """Where the mean is 16 times the rest, a plain product is wrong by 6e-5."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, width))
    y = X[:, ::-1] + rng.normal(size=X.shape)
    mean = 4 * rng.normal(size=width)
    a, b = ({"layer": (rows + mean).astype(np.float32)} for rows in (X, y))
    exact = CKA(debias="rows").fit(
        a["layer"].astype(np.float64), b["layer"].astype(np.float64)
    )
    assert_allclose(streamed(a, b, [50]).scores[0, 0], exact.score_, atol=2e-6)


def test_width_of_the_rbf_kernel_is_that_of_the_first_batch():
    a, b = layers(80), layers(80, seed=1)
    sums = streamed(a, b, [30, 50], kernel="rbf", bandwidth=0.7)
    first = next(batches_of(a, [30, 50]))["layer0"]
    distances = np.linalg.norm(first[:, None] - first[None], axis=2)
    width = 0.7 * np.median(distances[np.triu_indices(30, 1)])
    X, K = a["layer0"][30:], []
    other = next(batches_of(b, [30, 50]))["layer0"]
    distances = np.linalg.norm(other[:, None] - other[None], axis=2)
    widths = width, 0.7 * np.median(distances[np.triu_indices(30, 1)])
    total = np.zeros(3)
    for rows in (slice(30), slice(30, 80)):
        K = []
        for X, s in zip((a["layer0"], b["layer0"]), widths, strict=True):
            d = np.linalg.norm(X[rows, None] - X[None, rows], axis=2)
            K.append(u_center(np.exp(-(d**2) / (2 * s**2)), xp=np))
        n = len(K[0])
        pairs = ((0, 1), (0, 0), (1, 1))
        total += [np.vdot(K[i], K[j]) / (n - 3) for i, j in pairs]
    assert_allclose(sums.scores[0, 0], total[0] / np.sqrt(total[1] * total[2]))


def test_one_model_against_itself():
    a = layers(60)
    sums, both = GramSums(), GramSums()
    for part in batches_of(a, [20, 40]):
        sums.update(part)
        both.update(part, dict(part))
    assert_allclose(np.diagonal(sums.scores), 1, rtol=1e-12)
    assert_allclose(sums.scores, both.scores, rtol=1e-12)


def test_sizes_do_not_matter():
    a, b = layers(60), layers(60, seed=1)
    expected = streamed(a, b, [20, 40])
    for factor in (1e-120, 1e120):
        scaled = {name: rows * factor for name, rows in a.items()}
        sums = streamed(scaled, b, [20, 40])
        assert_allclose(sums.scores, expected.scores, rtol=1e-10)
        assert_allclose(sums.z_scores, expected.z_scores, rtol=1e-10)
        assert_allclose(sums.null_skewness, expected.null_skewness, rtol=1e-8)
    small = {name: (rows * 1e-25).astype(np.float32) for name, rows in a.items()}
    assert_allclose(streamed(small, b, [60]).scores, streamed(a, b, [60]).scores, 1e-5)


# ----- what comes in ------------------------------------------------------------------


def test_tensors_and_what_follows_the_first_axis():
    a, b = layers(40, dtype=np.float32), layers(40, seed=1, dtype=np.float32)
    expected = streamed(a, b, [40]).scores
    tensors = {
        name: torch.from_numpy(rows).reshape(40, -1, 5).requires_grad_()
        for name, rows in a.items()
    }
    sums = GramSums()
    sums.update(tensors, b)
    assert_allclose(sums.scores, expected, rtol=1e-6)
    halves = {name: rows.bfloat16() for name, rows in tensors.items()}
    sums = GramSums()
    sums.update(halves, b)
    assert_allclose(sums.scores, expected, atol=0.01)


def test_what_is_reduced_shares_no_memory_with_the_rows():
    a, b = layers(30), layers(30, seed=1)
    sums = GramSums()
    for start, end in ((0, 2), (2, 30)):
        reduced = []
        for side, model in enumerate((a, b)):
            buffers = {name: rows[start:end].copy() for name, rows in model.items()}
            reduced.append({n: sums.reduced(side, n, r) for n, r in buffers.items()})
            for rows in buffers.values():
                rows[:] = 0
        sums.update(*reduced)
    assert_allclose(sums.scores, streamed(a, b, [30]).scores)


def test_a_layer_that_is_constant_in_a_batch_adds_nothing():
    a, b = layers(60), layers(60, seed=1)
    a["layer1"][:20] = 1.7
    sums = streamed(a, b, [20, 40])
    alone = streamed(a, b, [20, 40][:1])
    assert alone.never_varied == (["layer1"], [])
    assert np.isnan(alone.scores[1]).all() and np.isfinite(alone.scores[[0, 2]]).all()
    assert np.isnan(alone.pvalues[1]).all()
    assert sums.never_varied == ([], [])
    rest = {name: rows[20:] for name, rows in a.items()}
    expected = streamed(rest, {n: r[20:] for n, r in b.items()}, [40])
    assert_allclose(sums.sums.sums["xx"][1], expected.sums.sums["xx"][1])
    # one hot rows: all are equally similar, though none is the mean
    a["layer1"] = np.eye(60)
    assert streamed(a, b, [60]).never_varied == (["layer1"], [])


def test_bad_batches_are_refused_by_name():
    a, b = layers(20), layers(20, seed=1)
    sums = GramSums()
    sums.update(a, b)
    with pytest.raises(ValueError, match="'layer2' of model A gave nothing in batch 1"):
        sums.update({k: v for k, v in a.items() if k != "layer2"}, b)
    with pytest.raises(ValueError, match="'extra' of model B was not there before"):
        sums.update(a, {**b, "extra": b["layer0"]})
    with pytest.raises(ValueError, match="'layer1' of model B has 19 rows"):
        sums.update(a, {**b, "layer1": b["layer1"][1:]})
    bad = a["layer0"].copy()
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="Layer 'layer0' has values that are nan"):
        sums.update({**a, "layer0": bad}, b)
    with pytest.raises(ValueError, match="Layer 'layer0': Row 3"):
        zero = a["layer0"].copy()
        zero[3] = 0
        GramSums(kernel="cosine").update({**a, "layer0": zero}, b)
    with pytest.raises(ValueError, match="no layers"):
        GramSums().update({}, {})
    assert sums.n_batches == 1


def test_too_few_rows():
    a, b = layers(3), layers(3, seed=1)
    sums = streamed(a, b, [2, 1])
    assert (sums.n_samples, sums.n_batches, sums.n_waiting) == (0, 0, 3)
    with pytest.raises(ValueError, match="3 rows, but a batch needs at least 4"):
        sums.scores  # noqa: B018
    with pytest.raises(ValueError, match="3 rows wait .* are 5 wide, and these 7"):
        sums.update(layers(9, widths=(7, 30, 80)), layers(9))


# ----- parts --------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_parts_are_merged(kernel):
    a, b = layers(100), layers(100, seed=1)
    sizes = [20, 30, 2, 44, 1, 3]
    whole = streamed(a, b, sizes, kernel=kernel)
    parts = list(zip(batches_of(a, sizes), batches_of(b, sizes), strict=True))
    first = GramSums(kernel)
    first.update(*parts[0])
    second = first.empty()
    for part in parts[1:]:
        second.update(*part)
    merged = first.merge(second)
    assert_allclose(merged.scores, whole.scores, rtol=1e-12)
    assert_allclose(merged.standard_errors, whole.standard_errors, rtol=1e-10)
    assert_allclose(merged.log_pvalues, whole.log_pvalues, rtol=1e-10)
    assert merged.n_batches == whole.n_batches
    assert first.empty().merge(first).scores.tolist() == first.scores.tolist()


def test_rows_that_wait_are_merged():
    a, b = layers(26), layers(26, seed=1)
    parts = list(zip(*(batches_of(x, [20, 3, 3]) for x in (a, b)), strict=True))
    both = []
    for numbers in ((0, 1), (2,)):
        sums = GramSums()
        for number in numbers:
            sums.update(*parts[number])
        both.append(sums)
    merged = both[0].merge(both[1])
    assert (merged.n_samples, merged.n_waiting) == (26, 0)
    assert_allclose(merged.scores, streamed(a, b, [20, 6]).scores)


def test_other_parts_are_refused():
    a, b = layers(20), layers(20, seed=1)
    sums = streamed(a, b, [20])
    with pytest.raises(ValueError, match="other parameters"):
        sums.merge(streamed(a, b, [20], kernel="cosine"))
    with pytest.raises(ValueError, match="other layers of model B"):
        sums.merge(streamed(a, {"other": b["layer0"]}, [20]))
    with pytest.raises(ValueError, match="other widths"):
        of_a, of_b = (streamed(x, b, [20], kernel="rbf") for x in (a, b))
        of_a.merge(of_b)
    with pytest.raises(ValueError, match="same orders"):
        sums = streamed(a, b, [20], n_permutations=3)
        sums.merge(streamed(a, b, [20], n_permutations=3))
    with pytest.raises(ValueError, match="other parameters"):
        GramSums.from_state(sums.state(), kernel="rbf")


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("n_before", [0, 1, 2, 3])
def test_goes_on_from_a_state_to_the_last_bit(kernel, n_before):
    a, b = layers(75), layers(75, seed=1)
    sizes = [30, 3, 2, 40]
    params = {"kernel": kernel, "n_permutations": 2, "random_state": 5}
    whole = streamed(a, b, sizes, **params)
    parts = list(zip(batches_of(a, sizes), batches_of(b, sizes), strict=True))
    sums = GramSums(**params)
    for part in parts[:n_before]:
        sums.update(*part)
    file = io.BytesIO()
    np.savez(file, **sums.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as state:
        resumed = GramSums.from_state(state, **params)
    for part in parts[n_before:]:
        resumed.update(*part)
    assert resumed.names == whole.names
    for name, values in whole.state().items():
        assert np.array_equal(values, resumed.state()[name]), name


# ----- by chance ----------------------------------------------------------------------


def test_null_moments_are_those_of_all_orders():
    """Of four and five rows: 24 x 120 orders, all of them."""
    from itertools import permutations

    a, b = layers(9), layers(9, seed=1, widths=(3, 6))
    sums = streamed(a, b, [4, 5])
    U, V = (
        [
            [u_center(x[rows] @ x[rows].T, xp=np) for rows in (slice(4), slice(4, 9))]
            for x in model.values()
        ]
        for model in (a, b)
    )
    for i, u in enumerate(U):
        for j, v in enumerate(V):
            of_batches = [
                [
                    np.vdot(u[k], v[k][np.ix_(o, o)]) / (n - 3)
                    for o in map(list, permutations(range(n)))
                ]
                for k, n in enumerate((4, 5))
            ]
            norm = np.sqrt(
                np.prod(
                    [sum(np.vdot(m[k], m[k]) / (k + 1) for k in (0, 1)) for m in (u, v)]
                )
            )
            values = np.add.outer(*of_batches).ravel() / norm
            assert_allclose(values.mean(), 0, atol=1e-12)
            assert_allclose(sums.null_std[i, j], values.std(), rtol=1e-10)
            skewness = np.mean(values**3) / values.std() ** 3
            assert_allclose(sums.null_skewness[i, j], skewness, rtol=1e-8)
    # no p-value is less than one over the number of orders
    assert_allclose(sums.log_pvalues.min(), max(sums.log_pvalues.min(), -np.log(2880)))


def test_no_pvalue_below_the_share_of_one_order():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(5, 3)), 1e3 * np.ones((1, 3))])
    sums = GramSums()
    sums.update({"a": X})
    assert sums.pvalues.item() >= 1 / 720 - 1e-15
    long = GramSums()
    for seed in range(200):
        X = np.random.default_rng(seed).normal(size=(50, 20))
        long.update({"a": X})
    # the square root of the number of batches away, where tails underflow
    assert long.pvalues.item() == np.finfo(float).tiny
    assert -200 * 149 < long.log_pvalues.item() < -5000


def test_draws_are_orders_of_rows_within_batches():
    a, b = layers(30), layers(30, seed=1)
    sums = streamed(a, b, [10, 20], n_permutations=4, random_state=3)
    for draw in range(4):
        moved = {}
        orders = [
            start + np.random.default_rng((3, batch, draw)).permutation(n)
            for batch, (start, n) in enumerate(((0, 10), (10, 20)))
        ]
        moved = {name: rows[np.concatenate(orders)] for name, rows in b.items()}
        z = streamed(a, moved, [10, 20]).z_scores
        assert_allclose(sums.null_z_scores[draw], z, rtol=1e-10)


def test_pvalues_are_corrected_for_the_number_of_cells():
    a, b = layers(60), layers(60, widths=(4, 9), seed=1)
    rng = np.random.default_rng(0)
    b["noise"] = rng.normal(size=(60, 5))
    sums = streamed(a, b, [30, 30], n_permutations=99)
    corrected = sums.corrected_pvalues
    # by hand: each cell against the largest of itself and of all with less
    z, null = sums.z_scores.ravel(), sums.null_z_scores.reshape(99, -1)
    expected = [
        (1 + np.sum(null[:, z <= z[i]].max(axis=1) >= z[i])) / 100
        for i in range(len(z))
    ]
    for i in np.argsort(-z):
        expected[i] = max(
            e for e, other in zip(expected, z, strict=True) if other >= z[i]
        )
    assert_allclose(corrected.ravel(), expected)
    assert corrected[:, :2].max() == 0.01
    assert corrected[:, 2].min() > 0.05
    a["noise"] = b["noise"]
    alone = GramSums(n_permutations=19)
    alone.update(a)
    corrected = alone.corrected_pvalues
    assert np.array_equal(corrected, corrected.T, equal_nan=True)
    assert np.isnan(np.diagonal(corrected)).all()
    assert corrected[0, 1] == 0.05 < corrected[0, 3]


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows, n, n_batches",
    [
        (lambda rng, n: rng.normal(size=(n, 30)), 20, 4),
        (lambda rng, n: np.maximum(rng.normal(size=(n, 40)) + 5, 0), 50, 4),
        (lambda rng, n: rng.normal(size=(n, 2)) @ rng.normal(size=(2, 9)), 50, 20),
        (lambda rng, n: rng.standard_t(3, size=(n, 10)), 16, 3),
    ],
)
def test_tails_are_those_of_permutations(rows, n, n_batches):
    rng = np.random.default_rng(0)
    sums = GramSums(n_permutations=5000)
    for _ in range(n_batches):
        sums.update({"a": rows(rng, n)}, {"b": rows(rng, n)})
    z = sums.null_z_scores[:, 0, 0]
    skewness = sums.null_skewness.item()
    # errors of 5,000 draws: 1 % of the deviation, .04 of the skewness
    assert_allclose(z.std(), 1, atol=0.04)
    assert_allclose(stats.skew(z), skewness, atol=0.15)
    for tail, tolerance in ((0.05, 0.012), (0.01, 0.005)):
        beyond = np.mean(stats.pearson3.sf(z, skewness) <= tail)
        assert abs(beyond - tail) < tolerance


@pytest.mark.slow
def test_pvalues_of_unrelated_layers_are_uniform():
    pvalues = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        sums = GramSums()
        for _ in range(4):
            sums.update(
                {"a": rng.normal(size=(20, 8))}, {"b": rng.gamma(1, size=(20, 5))}
            )
        pvalues.append(sums.pvalues.item())
    assert stats.kstest(pvalues, "uniform").pvalue > 0.01
