"""Views: what a measure keeps of one representation, and how its rows move."""

from dataclasses import fields, replace

import numpy as np

from sksim.arrays._namespace import device_of, move_to, namespace_of
from sksim.arrays._sparse_rows import is_sparse


class View:
    """Base of the small frozen dataclasses that measures use as views.

    A view says how its rows move by naming fields; all other fields belong to the
    representation as a whole and stay as they are. Any of them may be None.

    Attributes
    ----------
    _row_fields : tuple of str
        Fields whose first axis is the rows: arrays, or other views.
    _row_by_row_fields : tuple of str
        Arrays of which both axes are the rows.
    _index_fields : tuple of str
        Arrays whose first axis is the rows and whose entries are numbers of rows, as
        lists of neighbours are: they are renamed when rows move.
    _derived_fields : tuple of str
        What is there for the sake of speed only, and is forgotten when rows move.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from sksim.base import View
    >>> @dataclass(frozen=True)
    ... class Neighbors(View):
    ...     nearest: object
    ...     _index_fields = ("nearest",)
    >>> chain = Neighbors(np.array([[1], [0], [1]]))
    >>> chain.moved(np.array([2, 0, 1])).nearest.ravel()
    array([2, 2, 1])
    """

    _row_fields = ()
    _row_by_row_fields = ()
    _index_fields = ()
    _derived_fields = ()

    def moved(self, order):
        """View of the same representation with its rows in another order.

        Parameters
        ----------
        order : int array of shape (n_samples,)
            Row ``order[i]`` moves to place i.

        Returns
        -------
        view : View
        """
        changed = dict.fromkeys(self._derived_fields)
        for name in self._row_fields:
            if (value := getattr(self, name)) is not None:
                changed[name] = moved(value, order)
        for name in self._row_by_row_fields:
            if (matrix := getattr(self, name)) is not None:
                changed[name] = some_pairs(matrix, order)
        for name in self._index_fields:
            if (lists := getattr(self, name)) is not None:
                changed[name] = _renamed(_taken(lists, order), order)
        return replace(self, **changed)

    def some(self, rows):
        """View of some of the rows, each as often as it is named.

        Parameters
        ----------
        rows : int array
            Their numbers.

        Returns
        -------
        view : View

        Raises
        ------
        ValueError
            If the view relates rows to each other: fewer rows have other relations.
        """
        self._refuse_relations("cut")
        changed = {k: some(v, rows) for k, v in self._present(self._row_fields)}
        return replace(self, **changed, **dict.fromkeys(self._derived_fields))

    def swapped(self, other, mask):
        """Both views with some of their rows swapped, as if models traded places.

        Parameters
        ----------
        other : View
            Of the same kind. Fields that are not rows stay where they are.
        mask : bool array of shape (n_samples,)
            The rows that are swapped.

        Returns
        -------
        views : tuple of two views
        """
        self._refuse_relations("swapped")
        pairs = {
            name: swapped(value, getattr(other, name), mask)
            for name, value in self._present(self._row_fields)
        }
        return tuple(
            replace(
                view,
                **{name: pair[side] for name, pair in pairs.items()},
                **dict.fromkeys(self._derived_fields),
            )
            for side, view in enumerate((self, other))
        )

    def joined(self, other):
        """View of the rows of both, end to end.

        Parameters
        ----------
        other : View
            Of further rows of the same representation. What is not rows must be the
            same in both; a view that can bring it together replaces this method.

        Returns
        -------
        view : View
        """
        self._refuse_relations("joined")
        of_rows = {*self._row_fields, *self._derived_fields}
        for name in {f.name for f in fields(self)} - of_rows:
            own, others = getattr(self, name), getattr(other, name)
            if not np.array_equal(own, others):
                raise ValueError(
                    f"Rows of {type(self).__name__} can't be joined: {name} is not the "
                    "same in both parts."
                )
        changed = {
            name: joined(value, getattr(other, name))
            for name, value in self._present(self._row_fields)
        }
        return replace(self, **changed, **dict.fromkeys(self._derived_fields))

    def without_rows(self):
        """View stripped of all that is as long as the data.

        Returns
        -------
        view : View
        """
        of_rows = (
            self._row_fields
            + self._row_by_row_fields
            + self._index_fields
            + self._derived_fields
        )
        return replace(
            self, **dict.fromkeys({f.name for f in fields(self)} & {*of_rows})
        )

    def _present(self, names):
        values = ((name, getattr(self, name)) for name in names)
        return [(name, value) for name, value in values if value is not None]

    def _refuse_relations(self, what):
        related = self._present(self._row_by_row_fields + self._index_fields)
        if related:
            raise ValueError(
                f"Rows of {type(self).__name__} can't be {what}: {related[0][0]} "
                "relates the rows of one model to each other."
            )


def moved(view, order):
    """`View.moved`, of an array too, whose first axis is the rows."""
    return view.moved(order) if isinstance(view, View) else _taken(view, order)


def some(view, rows):
    """`View.some`, of an array too."""
    return view.some(rows) if isinstance(view, View) else _taken(view, rows)


def without_column(array, column):
    """All columns but one of an array whose first axis is the rows."""
    return _taken(array, np.delete(np.arange(array.shape[1]), column), axis=1)


def some_pairs(matrix, rows):
    """Some of the rows of a square matrix, and the same columns."""
    return _taken(_taken(matrix, rows), rows, axis=1)


def swapped(view, other, mask):
    """`View.swapped`, of arrays too."""
    if isinstance(view, View):
        return view.swapped(other, mask)
    xp = namespace_of(view)
    mask = np.reshape(mask, (-1,) + (1,) * (view.ndim - 1))
    mask = move_to(mask, xp=xp, device=device_of(view))
    return xp.where(mask, other, view), xp.where(mask, view, other)


def joined(view, other):
    """`View.joined`, of arrays too."""
    if isinstance(view, View):
        return view.joined(other)
    return namespace_of(view).concat([view, other])


def _taken(array, index, axis=0):
    """Rows or columns of an array of any library, by an index of numpy."""
    if isinstance(array, np.ndarray) or is_sparse(array):
        return array.take(index, axis=axis)
    xp = namespace_of(array)
    index = move_to(index, xp=xp, device=device_of(array))
    return xp.take(array, index, axis=axis)


def _renamed(lists, order):
    """Numbers of rows after row ``order[i]`` has become row i."""
    places = np.empty_like(order)
    places[order] = np.arange(len(order), dtype=order.dtype)
    if isinstance(lists, np.ndarray):
        return places.take(lists)
    xp = namespace_of(lists)
    flat = xp.reshape(lists, (-1,))
    places = move_to(places, xp=xp, device=device_of(lists))
    return xp.reshape(xp.take(places, flat, axis=0), lists.shape)
