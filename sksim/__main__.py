"""Run ``python -m sksim --help``."""

import sys

from sksim._cli import main

if __name__ == "__main__":
    sys.exit(main())
