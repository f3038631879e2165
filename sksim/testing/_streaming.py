"""Checks of measures whose rows may come in blocks."""

import itertools
import math
import pickle
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning

from sksim.testing._helpers import assert_close, fit, outcome_of, tags_of
from sksim.testing._inputs import make_inputs


def streamed(measure, X, y, cuts, fit_params=None):
    """Clone of a measure to which rows were passed in blocks."""
    measure = clone(measure)
    for block in _blocks(X, y, cuts, fit_params):
        _pass_block(measure, block)
    return measure


def _blocks(X, y, cuts, fit_params=None):
    """(X, y, further keywords) of each block; y of a group is None."""
    edges = [0, *cuts, len(X)]
    for start, stop in itertools.pairwise(edges):
        known = {k: v[start:stop] for k, v in (fit_params or {}).items()}
        yield X[start:stop], None if y is None else y[start:stop], known


def _pass_block(measure, block):
    X, y, known = block
    with warnings.catch_warnings():
        # a block may have fewer kinds of rows than all
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return measure.partial_fit(X, y, **known)


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
    X, y, known = make_inputs(measure)
    fitted = fit(measure, X, y, known)
    new_X, new_y, of_new = make_inputs(measure, random_state=1)
    order = np.random.default_rng(0).permutation(40)
    moved = [None if each is None else each[order] for each in (X, y)]
    known = {k: v[order] for k, v in known.items()}
    for cuts in ([], [1, 2, 3, 27], list(range(1, 40))):
        measures = [
            streamed(measure, *block[:2], [], block[2])
            for block in _blocks(*moved, cuts, known)
        ]
        sequence = streamed(measure, *moved, cuts, known)
        for one in (sequence, _merged_as_a_tree(measures)):
            assert one.n_samples_fit_ == 40
            message = f"statistic of rows cut at {cuts}"
            assert_close(one.statistic_, fitted.statistic_, message, 1e-11, 1e-12)
    assert one.score_ == one.score()
    score = one.score(new_X, new_y, **of_new)
    expected = fitted.score(new_X, new_y, **of_new)
    assert_close(score, expected, "score of new rows", 1e-9)
    if hasattr(fitted, "transform"):
        np.testing.assert_allclose(
            one.transform(new_X), fitted.transform(new_X), rtol=1e-8, atol=1e-8
        )
        assert list(one.get_feature_names_out()) == list(fitted.get_feature_names_out())


def check_partial_fit_goes_on(measure):
    """A stream goes on after a look at it, a pickle or a bad block; fit starts anew."""
    X, y, known = make_inputs(measure)
    expected = streamed(measure, X, y, [20], known).statistic_
    first, second = _blocks(X, y, [20], known)
    looked_at = _pass_block(clone(measure), first)
    before = looked_at.statistic_
    looked_at = pickle.loads(pickle.dumps(looked_at))
    assert looked_at.statistic_ == before
    bad = X[20:].astype(float)
    bad[0, ...] = np.inf if tags_of(measure).missing else np.nan
    assert _error_of(_pass_block, looked_at, (bad, *second[1:])) is not None
    assert looked_at.n_samples_fit_ == 20
    _pass_block(looked_at, second)
    assert looked_at.n_samples_fit_ == 40
    assert looked_at.statistic_ == expected
    orientation = tags_of(measure).orientation
    assert getattr(looked_at, f"{orientation}_") == expected
    assert not hasattr(clone(looked_at), "statistic_")
    assert not hasattr(clone(looked_at), "n_samples_fit_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        some, _ = _blocks(X, y, [30], known)
        again = looked_at.fit(*some[:2], **some[2])
    assert again.statistic_ == fit(measure, *some).statistic_
    assert again.n_samples_fit_ == 30


def check_partial_fit_refuses(measure):
    """Blocks of other widths, and blocks without y, are refused by name."""
    X, y, known = make_inputs(measure)
    first, _ = _blocks(X, y, [20], known)
    started = _pass_block(clone(measure), first)
    refused = [] if y is None else [((X, None), "requires y")]
    if y is not None and X.ndim > 1:
        # columns that have names are missed by name
        by_name = "classes" in tags_of(measure).view_keywords
        refused.append(((X[:, :-1], y), "" if by_name else f"{X.shape[1] - 1} feat"))
        refused.append(((X, y[:, :-1]), "y has"))
    for block, word in refused:
        message = _error_of(_pass_block, started, (*block, known))
        assert message is not None, f"accepted, but should say {word!r}"
        assert word in message
    if tags_of(measure).paired and y is not None:
        message = _error_of(_pass_block, started, (X, y[:-1], known))
        assert message is not None, "unequal numbers of rows were accepted"
        assert str(len(X) - 1) in message
    assert started.n_samples_fit_ == 20


def check_merge_refuses(measure):
    """What can't be merged is refused, and what is merged stays as it is."""
    X, y, known = make_inputs(measure)
    first, second = _blocks(X, y, [20], known)
    started, rest = (_pass_block(clone(measure), b) for b in (first, second))
    other_kind = type("OtherKind", (type(measure),), {})(**measure.get_params())
    refused = [
        (clone(measure), "partial_fit"),
        (_pass_block(other_kind, second), "OtherKind"),
        (None, "NoneType"),
    ]
    if tags_of(measure).inputs == "representation":
        narrow = X[20:, :-1], y[20:, :-1]
        refused += [
            (streamed(measure, narrow[0], y[20:], []), "X has"),
            (streamed(measure, X[20:], narrow[1], []), "y has"),
        ]
    for other, word in refused:
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
