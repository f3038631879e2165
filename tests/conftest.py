"""Test configuration."""

import os

# scikit-learn skips its array-API checks without a word unless scipy knows of the
# array API from its import on.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# workers of pytest-xdist share the cores: more threads get in each other's way
os.environ.setdefault("OMP_NUM_THREADS", "1")
