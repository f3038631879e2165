"""Checks of measures whose rows may come in blocks."""

import math
import pickle
import warnings

import numpy as np
from sklearn.base import clone

from sksim.testing._helpers import assert_close, fit, outcome_of, tags_of
from sksim.testing._inputs import make_inputs


def streamed(measure, X, y, cuts):
    """Clone of a measure to which rows were passed in blocks."""
    measure = clone(measure)
    for rows, rows_y in zip(np.split(X, cuts), np.split(y, cuts), strict=True):
        measure.partial_fit(rows, rows_y)
    return measure


def _merged_as_a_tree(measures):
    """One measure of all, merged in pairs, the later into the earlier and reverse."""
    while len(measures) > 1:
        *pairs, rest = [measures[i : i + 2] for i in range(0, len(measures), 2)]
        merged = [b.merge(a) for a, b in pairs]
        measures = [*merged, rest[0].merge(rest[1]) if len(rest) == 2 else rest[0]]
    return measures[0]


def _error_of(function, *args):
    try:
        function(*args)
    except ValueError as error:
        return str(error)
    return None


def check_streaming_tag(measure):
    """There are ``partial_fit`` and ``merge`` exactly where the tag says so."""
    claimed = tags_of(measure).streaming
    for name in ("partial_fit", "merge"):
        assert hasattr(measure, name) == bool(claimed), (
            f"the tag streaming is {claimed}, but hasattr({name!r}) says otherwise"
        )


def check_any_split(measure):
    """Blocks of any size, in any order, merged in any order, give what fit gives."""
    X, y, _ = make_inputs(measure)
    fitted = fit(measure, X, y)
    new_X, new_y, _ = make_inputs(measure, random_state=1)
    order = np.random.default_rng(0).permutation(40)
    for cuts in ([], [1, 2, 3, 27], list(range(1, 40))):
        parts = zip(np.split(X[order], cuts), np.split(y[order], cuts), strict=True)
        measures = [streamed(measure, *part, []) for part in parts]
        sequence = streamed(measure, X[order], y[order], cuts)
        for one in (sequence, _merged_as_a_tree(measures)):
            assert one.n_samples_fit_ == 40
            message = f"statistic of rows cut at {cuts}"
            assert_close(one.statistic_, fitted.statistic_, message, 1e-11, 1e-12)
    assert one.score_ == one.score()
    score = one.score(new_X, new_y)
    assert_close(score, fitted.score(new_X, new_y), "score of new rows", 1e-9)
    if hasattr(fitted, "transform"):
        np.testing.assert_allclose(
            one.transform(new_X), fitted.transform(new_X), rtol=1e-8, atol=1e-8
        )
        assert list(one.get_feature_names_out()) == list(fitted.get_feature_names_out())


def check_partial_fit_goes_on(measure):
    """A stream goes on after a look at it, a pickle or a bad block; fit starts anew."""
    X, y, _ = make_inputs(measure)
    expected = streamed(measure, X, y, [20]).statistic_
    looked_at = streamed(measure, X[:20], y[:20], [])
    before = looked_at.statistic_
    looked_at = pickle.loads(pickle.dumps(looked_at))
    assert looked_at.statistic_ == before
    bad = X[20:].copy()
    bad[0, 0] = np.nan
    assert _error_of(looked_at.partial_fit, bad, y[20:]) is not None
    assert looked_at.n_samples_fit_ == 20
    looked_at.partial_fit(X[20:], y[20:])
    assert looked_at.n_samples_fit_ == 40
    assert looked_at.statistic_ == expected
    orientation = tags_of(measure).orientation
    assert getattr(looked_at, f"{orientation}_") == expected
    assert not hasattr(clone(looked_at), "statistic_")
    assert not hasattr(clone(looked_at), "n_samples_fit_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = looked_at.fit(X[:30], y[:30])
    assert again.statistic_ == fit(measure, X[:30], y[:30]).statistic_
    assert again.n_samples_fit_ == 30


def check_partial_fit_refuses(measure):
    """Blocks of other widths, and blocks without y, are refused by name."""
    X, y, _ = make_inputs(measure)
    started = streamed(measure, X[:20], y[:20], [])
    for block, word in (
        ((X[:, :-1], y), f"{X.shape[1] - 1} features"),
        ((X, y[:, :-1]), "y has"),
        ((X, None), "requires y"),
    ):
        message = _error_of(started.partial_fit, *block)
        assert message is not None, f"accepted, but should say {word!r}"
        assert word in message
    if tags_of(measure).paired:
        message = _error_of(started.partial_fit, X, y[:-1])
        assert message is not None, "unequal numbers of rows were accepted"
        assert str(len(X) - 1) in message
    assert started.n_samples_fit_ == 20


def check_merge_refuses(measure):
    """What can't be merged is refused, and what is merged stays as it is."""
    X, y, _ = make_inputs(measure)
    started = streamed(measure, X[:20], y[:20], [])
    rest = streamed(measure, X[20:], y[20:], [])
    narrow = streamed(measure, X[20:, :-1], y[20:], [])
    other_kind = type("OtherKind", (type(measure),), {})
    for other, word in (
        (clone(measure), "partial_fit"),
        (narrow, "X has"),
        (streamed(measure, X[20:], y[20:, :-1], []), "y has"),
        (other_kind(**measure.get_params()).partial_fit(X, y), "OtherKind"),
        (None, "NoneType"),
    ):
        message = _error_of(started.merge, other)
        assert message is not None, f"merged with {other!r}"
        assert word in message
    assert "partial_fit" in _error_of(clone(measure).merge, started)
    before = rest.statistic_
    assert started.merge(rest) is started
    assert (rest.n_samples_fit_, rest.statistic_) == (20, before)
    assert started.n_samples_fit_ == 40


def check_streams_of_hard_input(measure):
    """Blocks of any precision, offset and scale give the right number, or refuse."""
    tags = tags_of(measure)
    X, y, _ = make_inputs(measure)
    expected = streamed(measure, X, y, [20]).statistic_
    low, high = tags.bounds
    kept = tags.invariances & tags.invariances_y
    single = [array.astype(np.float32) for array in (X, y)]
    as_double = outcome_of(measure, *(array.astype(float) for array in single))
    value = streamed(measure, *single, [1, 20]).statistic_
    assert_close(value, as_double, "statistic of float32 blocks", 1e-11, 1e-12)
    value = streamed(measure, X + 1e6, y - 1e6, [1, 20])
    if "TR" in kept:
        assert_close(value.statistic_, expected, "statistic at an offset", 1e-6, 1e-7)
    cuts = {"blocks": [1, 20], "rows": list(range(1, 40))}
    for factor in (1e-300, 1e-150, 1e150, 1e300):
        for name, split in cuts.items():
            try:
                value = streamed(measure, X * factor, y * factor, split).statistic_
            except ValueError:
                assert "IS" not in kept, f"refused {name} x{factor}"
                continue
            assert math.isfinite(value)
            assert low <= value <= high, f"{value} for {name} x{factor}"
            if "IS" in kept:
                assert_close(value, expected, f"statistic of {name} x{factor}", 1e-9)
    flat = np.full_like(X, 0.1)
    for first, second in ((flat, y), (X, flat), (np.hstack([X, X]), y)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = streamed(measure, first, second, [1, 13]).statistic_
        except ValueError as error:
            assert str(error)
        else:
            assert low <= value <= high
