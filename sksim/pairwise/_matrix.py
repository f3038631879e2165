"""One measure on all pairs of layers, or of models."""

import itertools
import warnings

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from sksim.base import BaseSimilarity
from sksim.pairwise._layers import (
    make_views,
    named_errors,
    named_layers,
    one_precision,
    validate_layers,
)
from sksim.pairwise._measures import check_measure
from sksim.utils._parallel import shared_by_jobs
from sksim.utils._progress import ProgressBar
from sksim.utils._sklearn_compat import StrOptions, num_samples, validate_params
from sksim.utils._validation import check_labels


@validate_params(
    {
        "output": [StrOptions({"score", "statistic"})],
        "n_jobs": [int, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def similarity_matrix(
    measure,
    Xs,
    Ys=None,
    *,
    y_true=None,
    data=None,
    output="score",
    n_jobs=None,
    verbose=0,
):
    """Compare all layers with all layers, or all models with all models.

    Each layer is validated once and viewed once; what remains for a pair is only the
    measure's comparison of two views.

    Parameters
    ----------
    measure : estimator
        The measure; it is cloned, not fitted.
    Xs : dict of str to array, or list of arrays
        The layers, each of shape (n_samples, n_features_of_the_layer) with the same
        rows in the same order; label vectors or probabilities for functional
        measures, models (or layers of models, such as
        :func:`sksim.functional.stitching_layers` names) for measures of models. Arrays
        may be memory-mapped.
    Ys : dict or list, default=None
        The layers that those of Xs are compared with; None compares Xs with itself.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them.
    data : array-like of shape (n_samples, n_features), default=None
        Rows that models are applied to, for measures of models that do so.
    output : {"score", "statistic"}, default="score"
        Scores, of which greater means more similar for every measure, or the
        measure's native numbers (distances stay positive).
    n_jobs : int, default=None
        Number of parallel jobs.
    verbose : int, default=0
        Whether to show progress on standard error.

    Returns
    -------
    matrix : DataFrame of shape (n_layers, n_layers_y)
        Row i, column j: Xs[i] against Ys[j]. ``matrix.attrs`` says which measure it is
        and what a large number means. A diagonal of a matrix of one set with itself
        is computed, not assumed.

    Raises
    ------
    ValueError
        If a layer is not valid; the message names the layer.

    Warns
    -----
    UserWarning
        Once, if pairs are degenerate: with the first pair's reason and their number.

    See Also
    --------
    compare : Many measures on one pair.
    sksim.plot.SimilarityMatrixDisplay : The matrix as a picture.

    Notes
    -----
    A symmetric measure on one set of layers is computed for one half of the pairs. The
    order of summation, and with it the last digit, depends on how many layers are
    compared at once.

    Memory holds the views of all layers, which are about as large as the layers (of
    measures of neighbours far smaller, of measures of n x n matrices n^2 / 2 or n^2
    numbers each), and up to half as much again while pairs are compared, or a buffer
    of 60 MB where many pairs become one product: at 20 layers of 2000 x 512, 164 MB of
    data, 214 MB in all for mean CCA, 203 for Procrustes, 387 for RSA, 20 for
    neighbours. Linear CKA reads memory-mapped layers where they are and takes only the
    buffer.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.pairwise import similarity_matrix
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> first = rng.normal(size=(50, 4))
    >>> second = np.tanh(first @ rng.normal(size=(4, 8)))
    >>> similarity_matrix(CKA(), {"first": first, "second": second}).round(2)
            first  second
    first    1.00    0.87
    second   0.87    1.00
    """
    measure = check_measure(measure)
    names_x, names_y, values = _all_statistics(
        measure, Xs, Ys, y_true, data, n_jobs=n_jobs, verbose=verbose
    )
    tags = measure._similarity_tags()
    for i, row in enumerate(names_x):
        for j, column in enumerate(names_y):
            with named_errors(row, column):
                values[i, j] = measure._as_number(values[i, j], tags)
    if output == "score":
        values = tags.orient(values) + 0.0  # a score of -0.0 reads badly
    matrix = pd.DataFrame(values, index=names_x, columns=names_y)
    matrix.attrs = {
        "measure": repr(measure),
        "output": output,
        "orientation": "similarity" if output == "score" else tags.orientation,
        "is_negated_distance": output == "score" and tags.orientation == "distance",
    }
    return matrix


def _all_statistics(measure, Xs, Ys, y_true, data, *, n_jobs, verbose):
    """Names of rows and columns, and the array of statistics."""
    layers_x = named_layers(Xs, "Xs")
    layers_y = None if Ys is None else named_layers(Ys, "Ys")
    tags = measure._similarity_tags()
    names = list(layers_x), list(layers_x if layers_y is None else layers_y)
    first = next(iter(layers_x.values()))
    layers_x, xp = validate_layers(measure, layers_x, first=first)
    if layers_y is not None:
        layers_y, _ = validate_layers(measure, layers_y, first=first)
    if tags.inputs == "models":
        data, y_true = measure._check_data(data, y_true)
    else:
        _refuse_other_lengths(tags, layers_x, layers_y)
        layers_x, layers_y = _in_one_precision(layers_x, layers_y, xp)
        like = next(iter(layers_x.values()))
        n_samples = num_samples(like)
        y_true = check_labels(measure, y_true, n_samples=n_samples, xp=xp, like=like)

    settings = {"y_true": y_true, "seed": measure._draw_seed(), "data": data}
    settings["n_jobs"] = n_jobs
    views_x = make_views(measure, layers_x, xp, role="x", **settings)
    if layers_y is None and tags.symmetric:
        views_y = views_x
    else:
        source = layers_x if layers_y is None else layers_y
        views_y = make_views(measure, source, xp, role="y", **settings)
    _check_pairs(measure, views_x, views_y, names)
    values = _compare_strips(
        measure, views_x, views_y, xp, n_jobs=n_jobs, verbose=verbose
    )
    return *names, values


def _in_one_precision(layers_x, layers_y, xp):
    together = list(layers_x.values()) + list((layers_y or {}).values())
    together = one_precision(together, xp)
    x = dict(zip(layers_x, together, strict=False))
    if layers_y is None:
        return x, None
    return x, dict(zip(layers_y, together[len(layers_x) :], strict=True))


def _refuse_other_lengths(tags, layers_x, layers_y):
    if not tags.paired and "y_true" not in tags.view_keywords:
        return
    lengths = {
        name: num_samples(layer)
        for layers in (layers_x, layers_y or {})
        for name, layer in layers.items()
    }
    if len(set(lengths.values())) > 1:
        raise ValueError(
            "All layers must describe the same inputs, in the same order, but their "
            f"numbers of rows differ: {lengths}."
        )


def _check_pairs(measure, views_x, views_y, names):
    """Warn about degenerate pairs once, not once for each."""
    found = []
    symmetric = views_x is views_y
    for i, view_x in enumerate(views_x):
        for j, view_y in enumerate(views_y):
            if symmetric and j <= i:
                continue
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                with named_errors(names[0][i], names[1][j]):
                    measure._check_views(view_x, view_y)
            found += [(names[0][i], names[1][j], w) for w in caught]
    if found:
        row, column, warning = found[0]
        others = f" ({len(found)} pairs in all)" if len(found) > 1 else ""
        warnings.warn(
            f"Layer {row!r} against {column!r}{others}: {warning.message}",
            warning.category,
            stacklevel=4,
        )


def _compare_strips(measure, views_x, views_y, xp, *, n_jobs, verbose):
    """Statistics of all pairs, cut into strips of rows for workers and progress."""
    symmetric = views_x is views_y
    n_strips = _number_of_strips(measure, len(views_x), n_jobs, verbose)
    bounds = np.linspace(0, len(views_x), n_strips + 1).astype(int)
    strips = list(itertools.pairwise(bounds))
    views = (views_x, views_y)
    tasks = (delayed(_strip)(measure, views, start, stop, xp) for start, stop in strips)
    values = np.full((len(views_x), len(views_y)), np.nan)
    workers = Parallel(n_jobs=n_jobs, return_as="generator")
    bar = ProgressBar(len(strips), type(measure).__name__, enabled=verbose > 0)
    with bar, shared_by_jobs(views):
        for (start, stop), part in zip(strips, workers(tasks), strict=True):
            values[start:stop, len(views_y) - part.shape[1] :] = part
            bar.step()
    if symmetric:
        lower = np.tril_indices(len(views_x), k=-1)
        values[lower] = values.T[lower]
    return values


def _number_of_strips(measure, n_rows, n_jobs, verbose):
    """One strip where a measure compares many pairs at once, else one for each row."""
    if type(measure)._compare_many is not BaseSimilarity._compare_many:
        return min(n_rows, effective_n_jobs(n_jobs))
    return n_rows if verbose or effective_n_jobs(n_jobs) > 1 else 1


def _strip(measure, views, start, stop, xp):
    """Rows start to stop; of a symmetric matrix only the columns from start on."""
    views_x, views_y = views
    rows, columns = views_x[start:stop], views_y
    if views_x is views_y:
        columns = views_x[start:]
        if len(columns) == len(rows):
            columns = rows
    values = measure._compare_many(rows, columns, xp)
    return np.array([[float(value) for value in row] for row in values])
