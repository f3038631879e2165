"""A progress bar of one line, for work that takes long enough to ask."""

import sys
import time
from contextlib import contextmanager
from contextvars import ContextVar

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
    """Progress on one line of standard error.

    Parameters
    ----------
    total : int
        Number of steps.
    label : str
        What is being done.
    enabled : bool, default=True
        Whether anything is written.
    stream : file, default=None
        Where to write; None for standard error.
    """

    _width = 24
    _seconds_between = 0.1

    def __init__(self, total, label, *, enabled=True, stream=None):
        self.total = total
        self.label = label
        self.enabled = enabled and total > 0
        self.stream = sys.stderr if stream is None else stream
        self.done = 0
        self._drawn_at = 0.0
        self._length = 0

    def __enter__(self):
        self._draw("")
        return self

    def __exit__(self, *exc_info):
        if self.enabled and self._length:
            self._write("\r" + " " * self._length + "\r")

    def step(self, what=""):
        """One step is done; ``what`` names the one that comes next."""
        self.done += 1
        now = time.monotonic()
        if now - self._drawn_at >= self._seconds_between or self.done == self.total:
            self._drawn_at = now
            self._draw(what)

    def _draw(self, what):
        if not self.enabled:
            return
        filled = self._width * self.done // self.total
        bar = "#" * filled + "." * (self._width - filled)
        line = f"{self.label} [{bar}] {self.done}/{self.total} {what}"[:79]
        # blanks wipe what is left of a longer line
        self._write("\r" + line.ljust(self._length))
        self._length = len(line)

    def _write(self, text):
        self.stream.write(text)
        self.stream.flush()
