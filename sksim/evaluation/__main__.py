"""Run ``python -m sksim.evaluation --help``."""

import sys

from sksim.evaluation._command import main

if __name__ == "__main__":
    sys.exit(main())
