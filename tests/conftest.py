"""Test configuration."""

import os

# scikit-learn skips its array-API checks without a word unless scipy knows of the
# array API from its import on.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
