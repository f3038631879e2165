"""Progress of work that takes long enough to ask: tqdm behind our switch."""

import sys
from contextlib import contextmanager
from contextvars import ContextVar

from tqdm import tqdm

_IS_SHOWN = ContextVar("sksim_progress_is_shown", default=False)


@contextmanager
def progress_shown(verbose):
    """Let `tracked` loops inside show their progress, if ``verbose`` is positive."""
    token = _IS_SHOWN.set(verbose > 0)
    try:
        yield
    finally:
        _IS_SHOWN.reset(token)


def tracked(steps, label):
    """Steps of a loop, with a progress bar where `progress_shown` asks for one.

    Kernels say which of their loops are long; measures with a parameter ``verbose``
    say whether anybody wants to know.

    Parameters
    ----------
    steps : iterable
        What is looped over.
    label : str
        What is being done.
    """
    steps = list(steps)
    with ProgressBar(len(steps), label, enabled=_IS_SHOWN.get()) as bar:
        for step in steps:
            yield step
            bar.step()


class ProgressBar:
    """Progress and remaining time on one line of standard error.

    On a terminal the line goes when the work is done. Elsewhere, such as in a log, it
    is written anew every few seconds, and the last one stays.

    Parameters
    ----------
    total : int or None
        Number of steps; None if nobody knows.
    label : str
        What is being done.
    enabled : bool, default=True
        Whether anything is written.
    """

    def __init__(self, total, label, *, enabled=True):
        # a disabled bar of tqdm would still make its locks
        is_shown = enabled and (total is None or total > 0)
        self._line = _Line(total, label) if is_shown else None

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        if self._line is not None:
            self._line.close()

    def step(self, what="", n=1):
        """A step, or several, are done; ``what`` names the last."""
        if self._line is not None:
            self._line.set_postfix_str(what, refresh=False)
            self._line.update(n)


class _Line(tqdm):
    """A bar of tqdm as this library draws it."""

    # with miniters=1 there is nothing for tqdm's thread to watch
    monitor_interval = 0

    def __init__(self, total, label):
        on_terminal = sys.stderr.isatty()
        super().__init__(
            total=total,
            desc=label,
            file=sys.stderr,
            leave=not on_terminal,
            mininterval=0.1 if on_terminal else 5.0,
            miniters=1,
            ascii=".#",
            bar_format="{n_fmt} {desc} in {elapsed}{postfix}"
            if total is None
            else "{desc} [{bar:24}] {n_fmt}/{total_fmt}, {remaining} left{postfix}",
        )
