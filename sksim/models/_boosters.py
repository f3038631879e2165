"""Layers of the boosted trees of other libraries, which are not imported for them."""

import numpy as np

from sksim.models._layer import Layer, columns


def booster_layers(model, rows):
    """What each stage adds to the score, and the leaves that a row falls into.

    Parameters
    ----------
    model : fitted estimator of xgboost, lightgbm or catboost
    rows : callable
        Gives the rows.

    Returns
    -------
    layers : dict of str to Layer
    """
    stages, leaves = _LIBRARIES[_library_of(model)]
    if _is_linear(model):
        return {}
    return {
        "stages": Layer(lambda: np.hstack(stages(model, rows()))),
        "leaves": Layer(lambda: leaves(model, rows()), on_request=True),
    }


def is_booster(model):
    """Whether this is an estimator of one of these libraries, or made from one."""
    return _library_of(model) is not None


def _library_of(model):
    for cls in type(model).__mro__:
        library = cls.__module__.split(".")[0]
        if cls.__name__ == _BASE_CLASSES.get(library):
            return library
    return None


def _is_linear(model):
    """Whether XGBoost boosted linear models, which have neither stages nor leaves."""
    return getattr(model, "booster", None) == "gblinear"


def _one_hot(leaves, n_leaves):
    """One column for each leaf of each tree, in single precision."""
    starts = np.cumsum([0, *n_leaves], dtype=np.int64)
    table = np.zeros((len(leaves), starts[-1]), dtype=np.float32)
    np.put_along_axis(table, leaves + starts[:-1], 1, axis=1)
    return table


# ----- xgboost ------------------------------------------------------------------------


def _xgboost_stages(model, X):
    """Margins of one round after the other; each holds the base score, but once."""

    def margin(start, stop):
        return columns(
            model.predict(X, output_margin=True, iteration_range=(start, stop))
        ).astype(np.float64)

    rounds = [margin(i, i + 1) for i in range(_xgboost_rounds(model))]
    if len(rounds) > 1:
        base = rounds[0] + rounds[1] - margin(0, 2)
        rounds[1:] = [stage - base for stage in rounds[1:]]
    return rounds


def _xgboost_rounds(model):
    """Rounds that predictions are made of: to the best one, if training sought it."""
    best = getattr(model, "best_iteration", None)
    if best is not None:
        return best + 1
    return model.get_booster().num_boosted_rounds()


def _xgboost_leaves(model, X):
    nodes = np.asarray(model.apply(X), dtype=np.int64)
    nodes = nodes.reshape(len(nodes), -1)
    table = model.get_booster().trees_to_dataframe()
    table = table[(table["Feature"] == "Leaf") & (table["Tree"] < nodes.shape[1])]
    of_trees = [np.sort(g["Node"].to_numpy()) for _, g in table.groupby("Tree")]
    places = [np.searchsorted(of, at) for of, at in zip(of_trees, nodes.T, strict=True)]
    return _one_hot(np.column_stack(places), [len(of) for of in of_trees])


# ----- lightgbm -----------------------------------------------------------------------


def _lightgbm_stages(model, X):
    # rounds after the best are gone already
    return [
        columns(model.predict(X, raw_score=True, start_iteration=i, num_iteration=1))
        for i in range(model.booster_.current_iteration())
    ]


def _lightgbm_leaves(model, X):
    leaves = np.asarray(model.predict(X, pred_leaf=True), dtype=np.int64)
    leaves = leaves.reshape(len(leaves), -1)
    trees = model.booster_.dump_model()["tree_info"]
    return _one_hot(leaves, [tree["num_leaves"] for tree in trees])


# ----- catboost -----------------------------------------------------------------------


def _catboost_stages(model, X):
    # the trees are numbered from 0 on; totals up to each of them come one by one
    totals = [
        columns(np.array(total))
        for total in model.staged_predict(X, prediction_type="RawFormulaVal")
    ]
    return [totals[0], *np.diff(np.stack(totals), axis=0)]


def _catboost_leaves(model, X):
    leaves = np.asarray(model.calc_leaf_indexes(X), dtype=np.int64)
    return _one_hot(leaves, model.get_tree_leaf_counts())


_BASE_CLASSES = {"xgboost": "XGBModel", "lightgbm": "LGBMModel", "catboost": "CatBoost"}
_LIBRARIES = {
    "xgboost": (_xgboost_stages, _xgboost_leaves),
    "lightgbm": (_lightgbm_stages, _lightgbm_leaves),
    "catboost": (_catboost_stages, _catboost_leaves),
}
