"""Where a display draws."""

from sksim._optional import import_extra


def axes_or_new(ax, display):
    """Axes that are given, or those of a new figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
    display : object
        Who draws, for the sentence where matplotlib is missing.
    """
    plt = import_extra(
        "matplotlib.pyplot", extra="report", needed_by=type(display).__name__
    )
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax
