"""Benchmarks that asv follows from commit to commit: see ``../asv.conf.json``."""

import os
import sys
from pathlib import Path

# asv imports this folder alone; the functions to time are beside it
sys.path.insert(0, str(Path(__file__).parents[1]))

# on one thread, so that a time does not depend on the machine's other work
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
