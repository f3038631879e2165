"""Labels as codes."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sksim.arrays._namespace import encode


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
@pytest.mark.parametrize("where", ["lowest", "highest", "everywhere"])
def test_codes_of_integers(dtype, where):
    limits = np.iinfo(dtype)
    low = limits.max - 9 if where == "highest" else limits.min
    high = limits.min + 9 if where == "lowest" else limits.max
    rng = np.random.default_rng(0)
    labels = rng.integers(low, high, size=300, dtype=dtype, endpoint=True)
    codes, classes = encode(labels, xp=np)
    expected_classes, expected = np.unique(labels, return_inverse=True)
    assert_array_equal(codes, expected)
    assert_array_equal(classes, expected_classes)
    assert classes.dtype == dtype
