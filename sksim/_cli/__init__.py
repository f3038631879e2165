"""The command line: ``sksim``, which is ``python -m sksim`` too."""

from sksim._cli._main import main

__all__ = ["main"]
