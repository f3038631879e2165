"""What a statistic is made of: parts that add up to it."""

from abc import abstractmethod
from dataclasses import replace

import numpy as np
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if

from sksim.arrays._namespace import as_float64
from sksim.base._row_names import first_row_names


def _has_parts(measure):
    return measure._parts_by_rows is not None


class ContributionsMixin:
    """Mixin for measures whose statistic is a sum over pairs of rows, or over rows.

    A measure writes ``_parts_by_components``, ``_parts_by_rows`` and
    ``_parts_by_classes``; one that inherits them without being such a sum sets
    ``_parts_by_rows = None``.
    """

    # ----- what a measure writes ------------------------------------------------------

    @abstractmethod
    def _parts_by_components(self, comparison):
        """Parts of all pairs of components, as a numpy array."""

    @abstractmethod
    def _parts_by_rows(self, comparison):
        """Columns of a table of the rows, by name, one of them ``part``."""

    @abstractmethod
    def _parts_by_classes(self, comparison, is_of):
        """Parts of all pairs of classes, or columns of a table of the classes by name.

        ``is_of``, of shape (n_samples, n_classes), is 1 at each row's class and else 0.
        """

    # ----- what follows ---------------------------------------------------------------

    @available_if(_has_parts)
    def contributions(self, X, y, *, by="components", y_true=None, with_influence=True):
        """What the value is made of: parts that add up to it.

        They are parts of ``statistic_``; those of distances after a rotation, whose
        statistic is no sum, are parts of the overlap that they are made of (see the
        Notes of the class).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            First representation.
        y : array-like of shape (n_samples, n_features_y)
            Second representation of the same rows.
        by : {"components", "rows", "classes"}, default="components"
            "components": pairs of principal components, for kernels eigenvectors of
            the centred kernels. "rows": each row, with all others where the value is a
            sum over pairs of rows. "classes": pairs of classes, or classes where the
            value is a sum over rows.
        y_true : array-like of shape (n_samples,), default=None
            Classes of the rows, for ``by="classes"``.
        with_influence : bool, default=True
            Whether the table of rows has the column ``influence``. Where the statistic
            without a row has no closed form (RBF kernels, whose width follows the
            rows, and rotations), it costs as much as one ``fit`` for each row.

        Returns
        -------
        parts : DataFrame
            "components": a row for each component of X and a column for each of y, from
            the largest on. "classes": the same for classes, or a row for each class.
            "rows": the column ``part``, and ``influence``: by how much ``statistic_``
            is larger with the row than without. Where the value is a sum over rows,
            rows and classes have the column ``residual`` too. Rows go by their names,
            where X or y has any.

        Raises
        ------
        ValueError
            If the value has no such parts, or if there are more rows than an n x n
            matrix is made of, where one is needed.

        See Also
        --------
        sksim.plot.ContributionsDisplay : Draws them.

        Examples
        --------
        Two representations share one strong direction, and little else:

        >>> import numpy as np
        >>> from sksim.rsm import CKA
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.normal(size=(2, 200, 4))
        >>> X[:, 0] = y[:, 0] = 5 * rng.normal(size=200)
        >>> parts = CKA().contributions(X, y)
        >>> parts.shape, round(float(parts.to_numpy().sum()), 4)
        ((4, 4), 0.9966)
        >>> round(float(parts.iloc[0, 0]), 4)
        0.9965
        """
        if by not in ("components", "rows", "classes"):
            raise ValueError(
                f"by must be 'components', 'rows' or 'classes', got {by!r}."
            )
        rows = clone(self)._read(X, y)
        arrays = tuple(as_float64(array, xp=rows.xp) for array in rows.arrays)
        comparison = replace(rows, arrays=arrays).compared()
        comparison.check()
        measure = comparison.measure
        if by == "components":
            return _table_of_components(measure._parts_by_components(comparison))
        if by == "classes":
            classes, is_of = _classes_of(y_true, comparison.n_samples)
            parts = measure._parts_by_classes(comparison, is_of)
            return _table_of_classes(parts, classes)
        columns = dict(measure._parts_by_rows(comparison))
        if with_influence:
            columns["influence"] = _influences(comparison)
        return _table_of_rows(columns, first_row_names(X, y))


def sums_by_classes(products, is_of):
    """Sums of the entries of an n x n matrix over the rows of two classes."""
    return is_of.T @ products @ is_of


def principal_scores(rows):
    """Rows in the axes of their principal components, the largest first."""
    vectors, scales, _ = np.linalg.svd(rows, full_matrices=False)
    kept = scales > lost_in_rounding(rows) * scales[0]
    return vectors[:, kept] * scales[kept]


def lost_in_rounding(matrix):
    """Share of the largest singular value below which others are rounding."""
    return max(matrix.shape) * np.finfo(np.float64).eps


def _influences(comparison):
    """By how much the statistic is larger with each row than without it."""
    without = comparison.without_each_row()
    if without is None:
        rows = np.arange(comparison.n_samples)
        others = (np.delete(rows, row) for row in rows)
        without = [comparison.of_rows(each).statistic() for each in others]
    return comparison.statistic() - np.asarray(without)


def _classes_of(y_true, n_samples):
    """Names of the classes, and whose class each row is of."""
    labels = np.asarray(y_true)
    if labels.shape != (n_samples,):
        raise ValueError(
            f"by='classes' needs y_true, one class for each of the {n_samples} rows; "
            f"got {'none' if y_true is None else f'shape {labels.shape}'}."
        )
    classes, codes = np.unique(labels, return_inverse=True)
    return classes, np.eye(len(classes))[codes]


def _table_of_components(parts):
    import pandas as pd

    x, y = (
        pd.RangeIndex(n, name=f"{name} component")
        for n, name in zip(parts.shape, "Xy", strict=True)
    )
    return pd.DataFrame(parts, index=x, columns=y)


def _table_of_rows(columns, names):
    import pandas as pd

    table = pd.DataFrame(columns)
    if names is None:
        names = pd.RangeIndex(len(table))
    return table.set_axis(names.rename(names.name or "row"))


def _table_of_classes(parts, classes):
    import pandas as pd

    if isinstance(parts, dict):
        return pd.DataFrame(parts, index=pd.Index(classes, name="class"))
    x, y = (pd.Index(classes, name=f"{name} class") for name in ("first", "second"))
    return pd.DataFrame(parts, index=x, columns=y)
