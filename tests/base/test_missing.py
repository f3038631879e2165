"""Missing values are refused in one sentence that says where they are."""

import re

import numpy as np
import pandas as pd
import pytest

from sksim import all_measures
from sksim.alignment import OrthogonalProcrustes
from sksim.base._tags import tags_of
from sksim.compose import DeconfoundedSimilarity
from sksim.functional import Disagreement, FleissKappa, JensenShannonDivergence
from sksim.inference import similarity_test
from sksim.preprocessing import Centering
from sksim.rsm import CKA
from sksim.testing import make_inputs

N = 20
VALUES = np.random.default_rng(0).normal(size=(N, 4))
HOLES = VALUES.copy()
HOLES[[3, 7], [2, 0]] = np.nan
LABELS = np.arange(N) % 3


def refused(call):
    """Message of the error that a call raises."""
    with pytest.raises(ValueError) as caught:
        call()
    message = str(caught.value)
    assert "HistGradientBoosting" not in message
    assert "\n" not in message
    return message


def table():
    """A pandas table with holes and names."""
    return pd.DataFrame(HOLES, columns=list("abcd"), index=[f"r{i}" for i in range(N)])


FORMS = {
    "array": lambda: HOLES,
    "table": table,
    "nullable": lambda: table().convert_dtypes(),
    "objects": lambda: HOLES.astype(object),
    "None": lambda: np.where(np.isnan(HOLES), None, HOLES),
    "lists": lambda: HOLES.tolist(),
    "NA": lambda: np.where(np.isnan(HOLES), pd.NA, HOLES),
    "masked": lambda: np.ma.masked_invalid(HOLES),
    "torch": lambda: pytest.importorskip("torch").tensor(HOLES),
    "polars": lambda: pytest.importorskip("polars").DataFrame(HOLES),
    "arrow": lambda: pytest.importorskip("pyarrow").Table.from_pandas(
        table().reset_index(drop=True)
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("side", ["X", "y"])
def test_rows_and_columns_of_a_representation(form, side):
    pair = (form(), VALUES) if side == "X" else (VALUES, form())
    message = refused(lambda: CKA().fit(*pair))
    assert message.startswith(
        f"{side} contains NaN, that is missing values, in 2 of 20"
    )
    assert re.search(r"rows 3, 7(, the first of them 'r3')?; columns 0, 2", message)
    assert "drop these rows from both sides" in message
    keep = re.search(r"keep = (.*?\)), ", message)[1]
    if form is not FORMS["polars"] and form is not FORMS["arrow"]:
        known = {"numpy": np, "pandas": pd, side: pair[side == "y"]}
        kept = np.asarray(eval(keep, known))
        if form is not FORMS["lists"]:
            assert kept.tolist() == [i not in (3, 7) for i in range(N)]


LABEL_FORMS = {
    "floats": np.where(LABELS == 2, np.nan, LABELS),
    "objects": np.where(LABELS == 2, None, LABELS.astype(object)),
    "text": np.where(LABELS == 2, None, LABELS.astype(str).astype(object)),
    "list": [None if label == 2 else str(label) for label in LABELS],
    "list with nan": [float("nan") if label == 2 else str(label) for label in LABELS],
    "series": pd.Series(np.where(LABELS == 2, np.nan, LABELS)),
    "nullable": pd.Series(LABELS).astype("Int64").replace(2, pd.NA),
    "categories": pd.Series(LABELS.astype(str)).replace("2", None).astype("category"),
    "masked": np.ma.masked_equal(LABELS, 2),
}


@pytest.mark.parametrize("labels", LABEL_FORMS.values(), ids=LABEL_FORMS)
def test_rows_of_labels(labels):
    whole = LABELS.astype(str) if isinstance(labels, list) else LABELS
    message = refused(lambda: Disagreement().fit(labels, whole))
    assert message.startswith("X contains NaN, that is missing values, in 6 of 20 rows")
    assert "rows 2, 5, 8, ...)" in message
    assert message.endswith("by keep = ~pandas.isna(X), X[keep], y[keep].") or (
        "getmaskarray(X)" in message
    )


def test_every_argument_is_named():
    probabilities = np.full((N, 2), 0.5)
    holes = probabilities.copy()
    holes[4, 1] = np.nan
    cases = {
        "y": lambda: JensenShannonDivergence().fit(probabilities, holes),
        "z": lambda: DeconfoundedSimilarity(CKA()).fit(VALUES, VALUES**2, z=HOLES),
        "groups": lambda: similarity_test(
            CKA(), VALUES, VALUES, groups=np.where(LABELS, LABELS, np.nan)
        ),
        "X": lambda: Centering().fit_transform(HOLES),
        "X ": lambda: (
            OrthogonalProcrustes().fit(VALUES, VALUES).inverse_transform(HOLES)
        ),
        "X  ": lambda: FleissKappa().fit(np.where(HOLES > 0, 1, HOLES).round()),
    }
    for name, call in cases.items():
        assert refused(call).startswith(f"{name.strip()} contains NaN")


@pytest.mark.parametrize("name, cls", all_measures())
def test_every_measure(name, cls):
    measure = cls()
    X, y, fit_params = make_inputs(measure)
    tags = tags_of(measure)
    if tags.inputs == "models":
        holes = fit_params.get("data")
        if holes is None:
            return
        holes[5, 1] = np.nan
    else:
        X = X.astype(float)
        X[5, ...] = np.nan
    message = refused(lambda: measure.fit(X, y, **fit_params))
    assert re.search(r"(X|data) contains NaN.*\(row 5", message)
