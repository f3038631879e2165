"""What tells inputs apart."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sksim.pairwise import _hashes
from sksim.pairwise._hashes import hashes_of


def sha(array):
    return hashlib.sha256(array.tobytes()).hexdigest()[:12]


def test_known_hash():
    # sha256sum of the three bytes "abc"
    assert hashes_of(a=np.frombuffer(b"abc", np.uint8)) == {"a": "ba7816bf8f01"}


def test_arrays_and_tables_of_one_content(monkeypatch):
    X = np.arange(12.0).reshape(4, 3)
    known = {"a": X, "b": pd.DataFrame(X), "c": np.asfortranarray(X)}
    assert set(hashes_of(**known).values()) == {sha(X)}
    # in parts it is the same
    monkeypatch.setattr(_hashes, "_BYTES_AT_ONCE", 30)
    assert set(hashes_of(**known).values()) == {sha(X)}
    assert hashes_of(a=X + 1e-12)["a"] != sha(X)


def test_words_by_their_letters():
    words = ["cat", "dog"]
    expected = sha(np.array(words))
    for vector in (np.array(words, dtype=object), pd.Series(words), np.array(words)):
        assert hashes_of(y_true=vector) == {"y_true": expected}


@pytest.mark.parametrize(
    "value",
    [None, [1.0, 2.0], object(), "a", sparse.eye_array(3), np.array([["a", 1]], "O")],
)
def test_what_has_no_hash(value):
    assert hashes_of(a=value) == {}


def test_dask_is_not_computed():
    dask = pytest.importorskip("dask.array")
    lazy = dask.from_array(np.ones((4, 2))).map_blocks(lambda block: 1 / 0, dtype=float)
    assert hashes_of(a=lazy) == {}


def test_tensors_with_gradients():
    torch = pytest.importorskip("torch")
    tensor = torch.ones(3, 2)
    assert hashes_of(a=tensor) == {"a": sha(np.ones((3, 2), np.float32))}
    assert hashes_of(a=tensor.requires_grad_()) == {}
