"""Names of rows: sides that carry them must carry the same, in the same order."""

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    KFold,
    ShuffleSplit,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksim.alignment import LinearRegressionSimilarity, OrthogonalProcrustes
from sksim.base._row_names import refuse_other_rows, row_names
from sksim.compose import DeconfoundedSimilarity, TransformedViews
from sksim.evaluation import layer_identification
from sksim.functional import (
    Disagreement,
    ErrorConsistency,
    FleissKappa,
    SaliencySimilarity,
)
from sksim.inference import (
    CalibratedSimilarity,
    compare_similarities,
    similarity_interval,
    similarity_matrix_test,
    similarity_test,
)
from sksim.pairwise import compare, similarity_matrix
from sksim.plot import RepresentationDisplay
from sksim.rsm import CKA, MinibatchCKA
from sksim.statistics import Magnitude

N = 30
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(N, 3))
NAMES = [f"img{i}" for i in range(N)]
INDICES = {
    "text": pd.Index(NAMES),
    "strings": pd.Index(NAMES, dtype="string"),
    "categories": pd.CategoricalIndex(NAMES),
    "numbers": pd.Index(3 * np.arange(N)[::-1]),
    "range": pd.RangeIndex(7, 7 + N),
    "floats": pd.Index(np.arange(N) / 2),
    "dates": pd.date_range("2020-01-01", periods=N, freq="D"),
    "pairs": pd.MultiIndex.from_product([range(N // 5), list("abcde")]),
    "duplicates": pd.Index(["a", "b", "c"] * (N // 3)),
    "with nan": pd.Index([np.nan, *NAMES[1:]]),
    "count": pd.RangeIndex(N),
}
TABLE = pd.DataFrame(VALUES, index=NAMES)
MOVED = TABLE.sample(frac=1, random_state=0)
LABELS = pd.Series(RNG.integers(0, 2, N), index=NAMES)


def named(values, names=NAMES):
    """The same as a table or a series with names of rows."""
    values = np.asarray(values)
    return (pd.Series if values.ndim == 1 else pd.DataFrame)(values, index=names)


def test_message_counts_shows_and_names_the_remedy():
    other = TABLE.copy()
    other.index = [*NAMES[:4], "new", *NAMES[5:]]
    with pytest.raises(ValueError) as caught:
        CKA().fit(TABLE, other)
    message = str(caught.value)
    for part in (
        "29 of 30 rows",
        "row 4: 'img4' in X and 'new' in y",
        "align_rows(X, y)",
        ".loc[X.index]",
        "reset_index(drop=True)",
    ):
        assert part in message
    with pytest.raises(ValueError, match="the same names, in another order"):
        CKA().fit(TABLE, MOVED)
    with pytest.raises(ValueError, match="30 rows and y has 29.*29 of the 30 names"):
        CKA().fit(TABLE, TABLE[1:])


CALLS = {
    "fit": lambda y: CKA().fit(TABLE, y),
    "labels": lambda y: Disagreement().fit(LABELS, y[0] > 0),
    "score": lambda y: CKA().fit(TABLE, TABLE).score(TABLE, y),
    "score by fitted maps": lambda y: (
        LinearRegressionSimilarity().fit(TABLE, TABLE).score(TABLE, y)
    ),
    "score_array": lambda y: CKA().score_array(TABLE, y),
    "transform": lambda y: OrthogonalProcrustes().fit(TABLE, TABLE).transform(TABLE, y),
    "partial_fit": lambda y: CKA().partial_fit(TABLE, y),
    "partial_fit of batches": lambda y: MinibatchCKA().partial_fit(TABLE, y),
    "y_true": lambda y: ErrorConsistency().fit(LABELS, LABELS, y_true=y[0] > 0),
    "y_true beside arrays": lambda y: ErrorConsistency().fit(
        LABELS, LABELS.to_numpy(), y_true=y[0] > 0
    ),
    "z": lambda y: DeconfoundedSimilarity(CKA()).fit(TABLE, VALUES**2, z=y),
    "transformed": lambda y: TransformedViews(CKA(), StandardScaler()).fit(TABLE, y),
    "score of transformed": lambda y: (
        TransformedViews(CKA(), StandardScaler()).fit(TABLE, TABLE).score(TABLE, y)
    ),
    "transform of transformed": lambda y: (
        TransformedViews(OrthogonalProcrustes(), StandardScaler())
        .fit(TABLE, TABLE)
        .transform(TABLE, y)
    ),
    "calibrated": lambda y: CalibratedSimilarity(CKA()).fit(TABLE, y),
    "groups of calibrated": lambda y: CalibratedSimilarity(CKA()).fit(
        TABLE, VALUES**2, groups=named(np.arange(N) % 5, y.index)
    ),
    "groups of a new score": lambda y: (
        CalibratedSimilarity(CKA())
        .fit(VALUES, VALUES**2)
        .score(TABLE, VALUES**2, groups=named(np.arange(N) % 5, y.index))
    ),
    "test": lambda y: similarity_test(CKA(), TABLE, y),
    "groups of a test": lambda y: similarity_test(
        CKA(), TABLE, VALUES, groups=named(np.arange(N) % 5, y.index)
    ),
    "interval": lambda y: similarity_interval(CKA(), TABLE, y),
    "groups of an interval": lambda y: similarity_interval(
        CKA(), VALUES, TABLE, groups=named(np.arange(N) % 5, y.index)
    ),
    "two similarities": lambda y: compare_similarities(CKA(), VALUES, TABLE, y),
    "matrix test": lambda y: similarity_matrix_test(CKA(), [TABLE], [y]),
    "groups of a matrix": lambda y: similarity_matrix_test(
        CKA(), [TABLE], [VALUES], groups=named(np.arange(N) % 5, y.index)
    ),
    "matrix": lambda y: similarity_matrix(CKA(), {"a": TABLE, "b": y}),
    "y_true of a matrix": lambda y: similarity_matrix(
        ErrorConsistency(), [LABELS, LABELS], y_true=y[0] > 0
    ),
    "layers": lambda y: layer_identification(CKA(), [{"a": TABLE}, {"a": y}]),
    "display": lambda y: RepresentationDisplay.from_representations(TABLE, y),
    "compare": lambda y: compare(TABLE, y, measures="CKA", n_permutations=0).to_frame(),
    "groups of compare": lambda y: compare(
        TABLE, VALUES, measures="CKA", groups=named(np.arange(N) % 5, y.index)
    ).to_frame(),
    "group of models": lambda y: FleissKappa().fit([LABELS, LABELS, y[0] > 0]),
    "from_estimators": lambda y: ErrorConsistency.from_estimators(
        *models(), TABLE, y[0] > 0
    ),
    "group from_estimators": lambda y: FleissKappa.from_estimators(
        models(), TABLE, y[0] > 0
    ),
    "measure of models": lambda y: SaliencySimilarity().fit(*models(), TABLE, y[0] > 0),
    "models in compare": lambda y: compare(
        *models(), TABLE, y[0] > 0, measures="Disagreement"
    ).to_frame(),
}


def models():
    """Two fitted models."""
    labels = LABELS.to_numpy()
    return [LogisticRegression(C=c).fit(TABLE, labels) for c in (1, 0.1)]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_public_call_is_held_to_it(call):
    with pytest.raises(ValueError, match=r"align_rows.*reset_index"):
        call(MOVED)


@pytest.mark.parametrize("names", INDICES.values(), ids=INDICES)
def test_equal_names_of_any_kind_agree(names):
    X, y = named(VALUES, names), named(VALUES[:, 0], names.copy(deep=True))
    expected = pytest.approx(CKA().fit(VALUES, VALUES[:, 0]).score_)
    assert CKA().fit(X, y).score_ == expected
    # on one side only: by position
    assert CKA().fit(X, VALUES[:, 0]).score_ == expected
    assert CKA().fit(VALUES, y).score_ == expected
    assert CKA().fit(X.reset_index(drop=True), y).score_ == expected


@pytest.mark.parametrize("names", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize(
    "splitter", [KFold(3, shuffle=True, random_state=0), KFold(3), ShuffleSplit(2)]
)
def test_what_a_splitter_cuts_from_one_frame_agrees(names, splitter):
    frame = named(np.hstack([VALUES, VALUES**2]), names)
    X, y = frame.iloc[:, :3], frame.iloc[:, 3:]
    measure = make_pipeline(
        StandardScaler().set_output(transform="pandas"), LinearRegressionSimilarity()
    )
    for target in (y, y.iloc[:, 0], y.to_numpy()):
        assert len(cross_val_score(clone(measure), X, target, cv=splitter)) >= 2
    assert len(cross_val_score(clone(measure), X.to_numpy(), y, cv=splitter)) >= 2
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    measure.fit(X_train, y_train).score(X_test, y_test)


def test_a_count_of_the_rows_that_were_cut_out_is_no_name_beside_names():
    X, y = named(VALUES), pd.DataFrame(VALUES**2)
    assert len(cross_val_score(CKA(), X, y, cv=KFold(3, shuffle=True))) == 3

    with pytest.raises(ValueError, match="in y and .* in y_true"):
        refuse_other_rows(X=y.iloc[1:], y=X.iloc[1:], y_true=MOVED[1:])


def test_rows_that_were_dropped_apart_from_each_other():
    X, y = (pd.DataFrame(VALUES).drop(index=i) for i in (4, 9))
    with pytest.raises(ValueError, match="row 4: 5 in X and 4 in y"):
        CKA().fit(X, y)


def test_data_types_of_names_do_not_matter():
    dates = INDICES["dates"]
    for one, other in (
        (dates, dates.as_unit("s")),
        (INDICES["text"], INDICES["strings"]),
        (INDICES["text"], INDICES["categories"]),
        (INDICES["numbers"], INDICES["numbers"].astype(float)),
        (INDICES["text"], INDICES["text"].rename("id")),
    ):
        refuse_other_rows(X=named(VALUES, one), y=named(VALUES, other))


def test_unpaired_rows_need_no_names_in_common():
    Magnitude().fit(TABLE, MOVED[:20])


def test_xarray():
    xarray = pytest.importorskip("xarray")

    def array(names, **coords):
        coords = coords or {"image": names}
        return xarray.DataArray(VALUES, dims=("image", "unit"), coords=coords)

    assert CKA().fit(array(NAMES), array(NAMES)).score_ == pytest.approx(1)
    assert CKA().fit(array(NAMES), TABLE).score_ == pytest.approx(1)
    assert row_names(xarray.DataArray(VALUES)) is None
    for other in (array(NAMES[::-1]), array(None, name=("image", NAMES[::-1]))):
        with pytest.raises(ValueError, match="another order"):
            CKA().fit(array(NAMES), other)


def test_anndata():
    anndata = pytest.importorskip("anndata")

    def table(names):
        return anndata.AnnData(VALUES, obs=pd.DataFrame(index=names))

    assert list(row_names(table(NAMES))) == NAMES
    assert row_names(anndata.AnnData(VALUES)) is None
    with pytest.raises(ValueError, match="another order"):
        refuse_other_rows(X=table(NAMES), y=table(NAMES[::-1]))
    with pytest.raises(ValueError, match="another order"):
        CKA().fit(table(NAMES).to_df(), table(NAMES[::-1]).to_df())


def test_names_of_many_rows_are_checked_in_five_milliseconds():
    n_rows = 10**5
    tables = [
        pd.DataFrame(
            {"a": np.zeros(n_rows)}, index=[f"image {i}" for i in range(n_rows)]
        )
        for _ in range(2)
    ]
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        refuse_other_rows(X=tables[0], y=tables[1])
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.005
