"""Checks of a comparison's verbs: every short cut against comparing anew."""

import importlib.util
import itertools
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer

from sksim.arrays._namespace import number
from sksim.arrays._views import joined
from sksim.base._layers import open_layers
from sksim.inference._moments import null_moments
from sksim.testing._helpers import (
    assert_alike,
    assert_close,
    statistic_of,
    tags_of,
    with_unrelated,
)
from sksim.testing._inputs import make_inputs

# Beyond this many orders of rows a mean over them is estimated by some.
_MOST_ORDERS = 5040
_N_DRAWN = 400


# ----- comparing anew: what all verbs are held against --------------------------------


def opened(measure, n_samples=40, columns=None, random_state=0):
    """Comparison of valid input, with random measures seeded."""
    measure = clone(measure)
    if "random_state" in measure.get_params():
        measure.set_params(random_state=0)
    X, y, fit_params = make_inputs(measure, random_state, n_samples)
    tags = tags_of(measure)
    has_features = tags.inputs == "representation" and not tags.precomputed
    if columns is not None and has_features:
        X, y = X[:, :columns], y[:, :columns]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return measure._open(X, y, **fit_params)


def _value_of_views(comparison, views):
    setting = ("measure", "owner", "xp", "device", "n_samples", "rounding")
    setting = {name: getattr(comparison, name) for name in setting}
    return number(type(comparison).of(*views, **setting).value())


def _moved_anew(comparison, orders):
    """Value with the rows of each side in an order of its own (None: as they are)."""
    rows = comparison.rows
    views = [
        rows.view(place) if order is None else rows.some(order).view(place)
        for place, order in enumerate(orders)
    ]
    return _value_of_views(comparison, views)


def _cut_anew(comparison, rows):
    """Value of some of the rows, whose views are made anew."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return number(comparison.rows.some(rows).compared().value())


def _orders(n_samples, number_of_orders):
    rng = np.random.default_rng(0)
    return [rng.permutation(n_samples) for _ in range(number_of_orders)]


def _differs(values, expected, rtol=1e-9):
    """Whether what a kind computes is not what comparing anew gives."""
    values, expected = np.asarray(values, float), np.asarray(expected, float)
    return not np.allclose(values, expected, rtol=rtol, atol=1e-10, equal_nan=True)


# ----- rows that move, are cut, joined, swapped ---------------------------------------


def check_permuted(measure):
    """Each of several orders gives what the views of the moved rows give."""
    tags = tags_of(measure)
    if not tags.paired or tags.null != "rows" or "seed" in tags.view_keywords:
        return
    comparison = opened(measure)
    orders = _orders(comparison.n_samples, 3)
    if tags.arity == "group":
        others = len(comparison.views) - 2
        draws = [[None, order, *(None,) * others] for order in orders]
    else:
        draws = [[None, order] for order in orders]
    wanted = draws if tags.arity == "group" else orders
    for prepared in (comparison, comparison.for_permutations()):
        for value, draw in zip(prepared.permuted(wanted), draws, strict=True):
            expected = _moved_anew(comparison, draw)
            assert_alike(value, expected, "permuted rows", rtol=1e-9, atol=1e-11)


def check_some_rows(measure):
    """A comparison of some rows is that of these rows, with all that is known of them.

    Random measures keep their seed.
    """
    comparison = opened(measure)
    rows = _orders(comparison.n_samples, 1)[0][:30]
    value = number(comparison.of_rows(rows).value())
    expected = _cut_anew(comparison, rows)
    assert_close(value, expected, "statistic of some rows", rtol=1e-9, atol=1e-11)


def check_exchanged(measure):
    """Swapped rows give what outputs that are swapped before they are viewed give."""
    if tags_of(measure).null != "exchange":
        return
    comparison = opened(measure)
    rows = comparison.rows
    rng = np.random.default_rng(0)
    if tags_of(measure).arity == "group":
        _check_handed_round(comparison, rng)
        return
    masks = [rng.random(comparison.n_samples) < 0.5 for _ in range(3)]
    for value, mask in zip(comparison.exchanged(masks), masks, strict=True):
        first, second = rows.arrays
        by_row = mask.reshape((-1,) + (1,) * (first.ndim - 1))
        swapped = np.where(by_row, second, first), np.where(by_row, first, second)
        anew = type(rows)(**{**vars(rows), "arrays": swapped}).compared()
        assert_close(value, number(anew.value()), "statistic of swapped rows")


def _check_handed_round(comparison, rng):
    """Outputs that are handed round give what they give when that is done before."""
    outputs = np.stack(comparison.rows.arrays)
    places = rng.random((3, comparison.n_samples, len(outputs))).argsort(axis=2)
    for value, place in zip(comparison.exchanged(places), places, strict=True):
        index = place.T.reshape(place.T.shape + (1,) * (outputs.ndim - 2))
        moved = tuple(np.take_along_axis(outputs, index, axis=0))
        anew = type(comparison.rows)(**{**vars(comparison.rows), "arrays": moved})
        anew = number(anew.compared().value())
        assert_close(value, anew, "statistic of outputs that are handed round")


def check_rearranged(measure):
    """Features in other places within rows give what arrays of that order give."""
    if tags_of(measure).null != "features":
        return
    comparison = opened(measure)
    rows = comparison.rows
    first, *others = rows.arrays
    rng = np.random.default_rng(0)
    for _ in range(3):
        orders = [rng.random(other.shape).argsort(axis=1) for other in others]
        asked = orders if tags_of(measure).arity == "group" else orders[0]
        (value,) = comparison.rearranged([asked])
        moved = [
            np.take_along_axis(other, order, axis=1)
            for other, order in zip(others, orders, strict=True)
        ]
        anew = type(rows)(**{**vars(rows), "arrays": (first, *moved)}).compared()
        assert_alike(value, number(anew.value()), "statistic of moved features")


def check_joined(measure):
    """Views that are row by row can be joined out of those of parts of the rows."""
    if not measure._views_are_row_wise or tags_of(measure).arity == "group":
        return
    comparison = opened(measure)
    rows, n = comparison.rows, comparison.n_samples
    parts = [rows.some(np.arange(n // 3)), rows.some(np.arange(n // 3, n))]
    try:
        views = [joined(*(part.view(place) for part in parts)) for place in (0, 1)]
    except ValueError as error:
        assert "can't be joined" in str(error), error
        return
    value = _value_of_views(comparison, views)
    assert_close(value, number(comparison.value()), "statistic of joined views")


def check_kernels_store_nothing(measure):
    """Viewing and comparing leave the measure as it is."""
    measure = clone(measure)
    if "random_state" in measure.get_params():
        measure.set_params(random_state=0)
    X, y, fit_params = make_inputs(measure)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = measure._read(X, y, **fit_params)
        before = dict(vars(measure))
        comparison = rows.compared()
        comparison.outcome()
        comparison.for_permutations()
    changed = {k for k, v in vars(measure).items() if before.get(k, vars) is not v}
    assert not changed, f"a kernel has stored {sorted(changed)}"


# ----- what is exact ------------------------------------------------------------------


def check_exact_tag(measure):
    """What is tagged as exact can be computed by the measure's kind."""
    refused = tags_of(measure).exact - measure._kind.carries
    assert not refused, (
        f"the tag 'exact' claims {sorted(refused)}, which {measure._kind.__name__} "
        "can't compute"
    )


def _verdict(measure, name, found, expected):
    """Raise where a claim does not hold, and where one is left out that does."""
    claimed = name in tags_of(measure).exact
    if claimed:
        assert found is not None, f"{name} is tagged as exact, but there is none"
        assert not _differs(found, expected), (
            f"{name} is tagged as exact, but gives {found} instead of {expected}"
        )
    elif found is not None:
        assert _differs(found, expected), (
            f"{name} is not tagged as exact, but {measure._kind.__name__} computes it"
        )


def _by_construction(verb, *args):
    """What a kind computes, claimed or not; None where it can't."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return verb(*args)
    except (AttributeError, TypeError, ValueError):
        return None


def check_jackknife(measure):
    """Statistics without each row are those of refits, where they are tagged so."""
    if "jackknife" not in measure._kind.carries:
        return
    comparison = opened(measure, n_samples=14)
    found = _by_construction(comparison._without_each_row)
    n = comparison.n_samples
    refits = [_cut_anew(comparison, np.delete(np.arange(n), i)) for i in range(n)]
    _verdict(measure, "jackknife", found, refits)


def check_columns(measure):
    """Statistics without each column are those of refits, where they are tagged so."""
    if "columns" not in tags_of(measure).exact:
        return
    comparison = opened(measure, n_samples=14)
    found = _by_construction(comparison._without_each_column)
    rows = comparison.rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refits = [
            [
                number(rows.without_column(place, i).compared().value())
                for i in range(array.shape[1])
            ]
            for place, array in enumerate(rows.arrays)
        ]
    _verdict(measure, "columns", found, refits)


def check_null_moments(measure):
    """Mean and spread over all orders of rows, exactly where they are tagged."""
    carried = {"null", "null_mean"} & measure._kind.carries
    if not carried:
        return
    fewest = max(7, measure._min_samples() + 2)
    comparison = opened(measure, n_samples=fewest, columns=2)
    permuted = comparison.for_permutations().permuted
    if fewest == 7:
        orders = [np.array(order) for order in itertools.permutations(range(7))]
        assert len(orders) == _MOST_ORDERS
        values = np.array(permuted(orders))
        mean, std = values.mean(), values.std()
    else:
        values = np.array(permuted(_orders(fewest, _N_DRAWN)))
        mean, std = values.mean(), None
    if "null_mean" in carried:
        found = _by_construction(comparison._null_mean)
        if std is None and found is not None:
            # five standard errors of the estimate
            error = 5 * values.std() / _N_DRAWN**0.5
            found = mean if abs(found - mean) <= error else found
        _verdict(measure, "null_mean", found, mean)
    if "null" in carried:
        form = _by_construction(comparison._trace_form)
        found = None
        if form is not None:
            moments = null_moments(form)
            found = [moments.mean, moments.std]
        _verdict(measure, "null", found, [mean, std])


def check_weighted_rows(measure):
    """Rows that count several times are rows that are there several times.

    Where pairs of copies are left out, only weights of 0 and 1 can be held against
    refits, and these only where nothing else follows the rows, as an RBF kernel's
    width does.
    """
    carried = {"bootstrap", "masked_bootstrap"} & measure._kind.carries
    if not carried:
        return
    comparison = opened(measure, n_samples=14)
    n = comparison.n_samples
    rng = np.random.default_rng(0)
    if "bootstrap" in carried:
        drawn = [rng.integers(n, size=n) for _ in range(3)]
        weights = [np.bincount(rows, minlength=n).astype(float) for rows in drawn]
        found = [_by_construction(comparison._weighted, w) for w in weights]
        found = None if any(value is None for value in found) else found
        expected = [_cut_anew(comparison, rows) for rows in drawn]
        _verdict(measure, "bootstrap", found, expected)
    if "masked_bootstrap" in tags_of(measure).exact:
        kept = [np.arange(n), np.arange(1, n), np.delete(np.arange(n), [3, 7])]
        kept = kept if "jackknife" in tags_of(measure).exact else kept[:1]
        weights = [np.bincount(rows, minlength=n).astype(float) for rows in kept]
        found = [comparison.weighted(w) for w in weights]
        expected = [_cut_anew(comparison, rows) for rows in kept]
        _verdict(measure, "masked_bootstrap", found, expected)


def check_bootstrap_is_valid(measure):
    """Rows drawn with replacement do not move a score that may be bootstrapped.

    Rows that are drawn twice make pairs of equal rows, which raise a similarity of
    relations between rows by more than its spread.
    """
    tags = tags_of(measure)
    if "bootstrap" not in tags.intervals:
        return
    measure = clone(measure)
    X, y, fit_params = make_inputs(measure)
    X, y = with_unrelated(measure, X, y, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        comparison = measure._open(X, y, **fit_params)
    rng = np.random.default_rng(0)
    n = comparison.n_samples
    values = [
        number(comparison.of_rows(rng.integers(n, size=n)).value()) for _ in range(100)
    ]
    values = np.array(values)[np.isfinite(values)]
    bias = abs(values.mean() - number(comparison.value()))
    assert bias <= 0.5 * values.std() + 1e-12, (
        f"the tag 'intervals' names the bootstrap, whose replicates are off by "
        f"{bias:.3g} on average, with a spread of {values.std():.3g}"
    )


def check_row_kinds(measure):
    """Counts of kinds of rows give the statistic, where intervals are by them."""
    tags = tags_of(measure)
    comparison = opened(measure, n_samples=30)
    kinds = comparison.row_kinds()
    named = "gaffke" in tags.intervals
    assert named == (kinds is not None), (
        f"the tag 'intervals' {'names' if named else 'does not name'} 'gaffke', and "
        f"there are {'no ' if kinds is None else ''}kinds of rows"
    )
    if kinds is None:
        return
    for rows in (np.arange(30), np.arange(2, 25)):
        counts = np.bincount(kinds.of_row[rows], minlength=kinds.n_kinds)
        expected = number(comparison.of_rows(rows).value())
        assert_close(
            kinds.value_of(counts), expected, "of counts of kinds", 1e-9, 1e-12
        )


# ----- many pairs, wrappers, gradients ------------------------------------------------


def check_many_pairs(measure):
    """All pairs at once, permuted too, give what each pair gives by itself."""
    tags = tags_of(measure)
    if tags.arity == "group" or tags.inputs == "models" or not tags.paired:
        return
    measure = clone(measure)
    if "random_state" in measure.get_params():
        measure.set_params(random_state=0)
    X, y, fit_params = make_inputs(measure)
    others, second, _ = make_inputs(measure, random_state=1)
    sides = {"a": X, "b": others}, {"c": y, "d": second}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        of_two = open_layers(clone(measure), *sides, **fit_params).grid
        of_one = open_layers(clone(measure), sides[0], **fit_params).grid
        for grid in (of_two, of_one):
            _check_grid(grid, tags)


def _check_grid(grid, tags):
    shape = len(grid.views_x), len(grid.views_y)
    values = grid.values()
    for i, j in np.ndindex(shape):
        single = number(grid.pair(i, j).value())
        assert_close(values[i, j], single, "one of many pairs", 1e-9, 1e-11)
    if tags.null != "rows" or "seed" in tags.view_keywords:
        return
    orders = _orders(grid.n_samples, 3)
    values = grid.for_permutations().permuted(orders)
    for i, j in np.ndindex(shape):
        single = grid.pair(i, j).permuted(orders)
        for number_of_order, expected in enumerate(single):
            value = values[number_of_order, i, j]
            assert_alike(value, expected, "one of many permuted pairs", 1e-9, 1e-11)


def check_wrapped(measure):
    """Views that are transformed by nothing give the measure's own numbers.

    Value, test, interval and matrix: a wrapper forgets nothing.
    """
    from sksim.compose import TransformedViews
    from sksim.inference import similarity_interval, similarity_test
    from sksim.pairwise import similarity_matrix

    tags = tags_of(measure)
    measure = clone(measure)
    if "random_state" in measure.get_params():
        measure.set_params(random_state=0)
    X, y, fit_params = make_inputs(measure, n_samples=30)
    wrapped = TransformedViews(measure, FunctionTransformer())
    if tags.inputs == "models":
        try:
            wrapped.fit(X, y, **fit_params)
        except ValueError as error:
            assert "compares models" in str(error), error
            return
        raise AssertionError("models were transformed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = wrapped.fit(X, y, **fit_params).statistic_
        assert value == statistic_of(measure, X, y, fit_params)
        known = {"y_true": fit_params.get("y_true")}
        if tags.paired:
            setting = {"n_permutations": 9, "random_state": 0, **known}
            tests = [similarity_test(m, X, y, **setting) for m in (wrapped, measure)]
            assert tests[0].pvalue == tests[1].pvalue
            assert_alike(tests[0].null_mean, tests[1].null_mean, "null mean")
        if tags.intervals:
            setting = {"n_resamples": 20, "random_state": 0, **known}
            setting["method"] = tags.intervals[0]
            errors = [
                similarity_interval(m, X, y, **setting).standard_error
                for m in (wrapped, measure)
            ]
            assert_close(errors[0], errors[1], "standard error")
        if tags.arity == "pair":
            matrices = [
                similarity_matrix(m, {"a": X}, {"b": y}, **known).to_numpy()
                for m in (wrapped, measure)
            ]
            np.testing.assert_array_equal(*matrices)


def check_gradients(measure):
    """Gradients are those of the score, where the tag says that there are any."""
    if tags_of(measure).inputs != "representation":
        return
    if importlib.util.find_spec("torch") is None:
        return
    import torch
    from sklearn import config_context

    measure = clone(measure)
    with config_context(array_api_dispatch=True):
        if not tags_of(measure).differentiable:
            try:
                measure.score_array(*make_inputs(measure)[:2])
            except ValueError:
                return
            raise AssertionError("score_array works without the tag 'differentiable'")
        X, y, _ = make_inputs(measure, n_samples=14)
        _check_gradients_at(measure, (X, y), torch)
        tags = tags_of(measure)
        if not tags.score_uses_fit and not tags.precomputed:
            # more columns than rows, where maps would fit anything
            noise = np.sin(np.arange(3 * X.size)).reshape(len(X), -1)
            wide = [np.hstack([rows] * 3) + noise for rows in (X, y)]
            _check_gradients_at(measure, wide, torch)


def _check_gradients_at(measure, arrays, torch):
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        measure.score_array(*tensors).backward()
    is_given = tags_of(measure).precomputed
    # of given matrices both entries of a pair, and none of the diagonal
    of_features, of_pairs = ((0, 0), (3, 2)), ((1, 0), (3, 2))
    for side, place in itertools.product((0, 1), of_pairs if is_given else of_features):
        step, scores = 1e-5, []
        for sign in (1, -1):
            moved = [array.copy() for array in arrays]
            moved[side][place] += sign * step
            if is_given:
                moved[side][place[::-1]] += sign * step
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                scores.append(measure.score_array(*map(torch.tensor, moved)))
        slope = number(scores[0] - scores[1]) / (2 * step)
        gradient = number(tensors[side].grad[place])
        if is_given:
            gradient += number(tensors[side].grad[place[::-1]])
        assert_close(gradient, slope, f"gradient by {'Xy'[side]}", 1e-4, 1e-7)


def check_transform_lands(measure):
    """Mapped rows vary, and are near those of y where they are in its coordinates."""
    X, _, fit_params = make_inputs(measure)
    rng = np.random.default_rng(0)
    # nearly the same, and mostly one direction: a map of any kind and rank finds it
    X = X + 10 * rng.normal(size=(len(X), 1)) * rng.normal(size=X.shape[1])
    y = X + 0.1 * rng.normal(size=X.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = clone(measure).fit(X, y, **fit_params)
        mapped = np.asarray(fitted.transform(X))
        both = [np.asarray(rows) for rows in fitted.transform(X, y)]
    assert np.ptp(mapped) > 0, "transform gives the same number everywhere"
    target = y if measure._lands_in_y else both[1]
    assert mapped.shape == target.shape, (
        f"rows are mapped to {mapped.shape[1]} columns, their targets have "
        f"{target.shape[1]}"
    )
    a, b = (rows - rows.mean(axis=0) for rows in (mapped, target))
    cosine = np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))
    assert cosine > 0.9, (
        f"mapped rows have a cosine of {cosine:.4f} to their targets, less than .9; "
        "a map that does not approximate y itself leaves _lands_in_y False, and maps "
        "y by _transform_y"
    )
    if measure._lands_in_y and np.any(np.asarray(fitted.y_mean_)):
        far = np.linalg.norm(mapped.mean(axis=0) - y.mean(axis=0))
        assert far <= 1e-6 * np.linalg.norm(y), "mapped rows are not about y's mean"


def check_origin(measure):
    """The tags family and extra are those of the package that the measure is in."""
    module = type(measure).__module__.split(".")
    if module[0] != "sksim":
        return
    tags = tags_of(measure)
    assert tags.family == module[1], f"family is {tags.family}, but it is in {module}"
    if tags.extra is not None:
        from importlib.metadata import metadata

        extras = metadata("sksim").get_all("Provides-Extra") or []
        assert tags.extra in extras, f"there is no extra {tags.extra!r}"
