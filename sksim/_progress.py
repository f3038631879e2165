"""Progress of work that takes long enough to ask: tqdm behind our switch."""

import sys
import time
from contextlib import contextmanager
from contextvars import ContextVar

from tqdm import tqdm

_IS_SHOWN = ContextVar("sksim_progress_is_shown", default=False)
# What writes whole lines, where no bar can be drawn.
_LOG = ContextVar("sksim_progress_log", default=None)


@contextmanager
def progress_shown(verbose):
    """Let `tracked` loops inside show their progress, if ``verbose`` is positive."""
    token = _IS_SHOWN.set(verbose > 0)
    try:
        yield
    finally:
        _IS_SHOWN.reset(token)


@contextmanager
def progress_in_lines(wanted=True):
    """Let progress inside be whole lines, one every few seconds, in place of bars."""
    token = _LOG.set(_Log() if wanted else None)
    try:
        yield
    finally:
        _LOG.reset(token)


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
    is written anew every few seconds, and the last one stays. Within
    `progress_in_lines` there are no bars, but lines.

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
        log = _LOG.get()
        make = _Line if log is None else log.lines
        self._line = make(total, label) if is_shown else None

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


class _Log:
    """What all lines of one command have in common: when the last one was written."""

    seconds = 5.0

    def __init__(self):
        self.start = self.last = time.monotonic()

    def lines(self, total, label):
        """Lines on a loop."""
        return _Lines(self, total, label)

    def write(self, text):
        """Write a line, unless one was written a moment ago."""
        now = time.monotonic()
        if now - self.last >= self.seconds:
            self.last = now
            print(f"{text} ({now - self.start:.0f} s)", file=sys.stderr, flush=True)


class _Lines:
    """Progress of a loop as lines of a log."""

    def __init__(self, log, total, label):
        self.log, self.total, self.label = log, total, label
        self.n, self.what = 0, ""

    def set_postfix_str(self, what, refresh):
        self.what = what

    def update(self, n):
        self.n += n
        done = f"{self.n}" if self.total is None else f"{self.n} of {self.total}"
        what = f", {self.what}" if self.what else ""
        self.log.write(f"{self.label}: {done}{what}")

    def close(self):
        """Nothing is left to be ended."""
