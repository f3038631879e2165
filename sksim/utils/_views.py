"""Views: what a measure keeps of one representation, and how its rows move."""

from dataclasses import fields, replace

from sksim.utils._array_api import take


class View:
    """Base of the small frozen dataclasses that measures use as views.

    A view names the fields whose first axis is the rows (``_row_fields``) and those
    whose both axes are (``_row_by_row_fields``). All other fields belong to the
    representation as a whole and stay as they are when rows move.
    """

    _row_fields = ()
    _row_by_row_fields = ()


def take_rows(view, order, *, xp):
    """View of the same representation with its rows in another order.

    Parameters
    ----------
    view : array or View
        An array holds rows along its first axis; a View says which fields do.
    order : array of int
        Row ``order[i]`` moves to place i.
    xp : module
        Array namespace.
    """
    if not isinstance(view, View):
        return take(view, order, xp=xp)
    moved = {
        name: take(getattr(view, name), order, xp=xp)
        for name in view._row_fields
        if getattr(view, name) is not None
    }
    for name in view._row_by_row_fields:
        matrix = getattr(view, name)
        if matrix is not None:
            moved[name] = take(take(matrix, order, xp=xp), order, xp=xp, axis=1)
    return replace(view, **moved)


def without_rows(view):
    """View stripped of all that is as long as the data: what a fitted map needs."""
    of_rows = {*view._row_fields, *view._row_by_row_fields}
    names = {f.name for f in fields(view)}
    return replace(view, **dict.fromkeys(of_rows & names))


def exchange_rows(view_x, view_y, mask, *, xp):
    """Both views with some of their rows swapped, as if the models traded places.

    Parameters
    ----------
    view_x, view_y : arrays or Views
        Views of one kind. Fields that are not rows stay where they are.
    mask : array of bool of shape (n_samples,)
        The rows that are swapped.
    xp : module
        Array namespace.
    """
    if not isinstance(view_x, View):
        by_row = xp.reshape(mask, (-1,) + (1,) * (view_x.ndim - 1))
        return xp.where(by_row, view_y, view_x), xp.where(by_row, view_x, view_y)
    if view_x._row_by_row_fields:
        raise ValueError(
            f"Rows of {type(view_x).__name__} can't be exchanged: it relates the rows "
            "of one model to each other."
        )
    swapped = {
        name: exchange_rows(getattr(view_x, name), getattr(view_y, name), mask, xp=xp)
        for name in view_x._row_fields
        if getattr(view_x, name) is not None
    }
    return tuple(
        replace(view, **{name: pair[side] for name, pair in swapped.items()})
        for side, view in enumerate((view_x, view_y))
    )


def mirrored(upper):
    """Rows of a symmetric matrix, from those of its upper half.

    Parameters
    ----------
    upper : iterable of lists
        Row i holds the entries from the diagonal on.
    """
    rows = []
    for i, row in enumerate(upper):
        rows.append([rows[j][i] for j in range(i)] + list(row))
    return rows
