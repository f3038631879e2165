"""Wide outputs: what a comparison takes beside its input."""

import tracemalloc
import warnings

import numpy as np
import pytest

from sksim import all_measures
from sksim.base._tags import tags_of
from sksim.functional import ExplanationAgreement, KullbackLeibler, RankCorrelation

WIDE = [
    *(
        cls()
        for _, cls in all_measures(
            family="functional",
            inputs=["probabilities", "outputs", "gradients"],
            arity="pair",
        )
    ),
    RankCorrelation(per="row"),
    ExplanationAgreement("signed_rank"),
    KullbackLeibler(clip=1e-9),
]


@pytest.mark.parametrize("measure", WIDE, ids=repr)
def test_a_wide_block_takes_twice_its_size(measure):
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 100, 32_000), dtype=np.float32)
    first /= first.sum(axis=1, keepdims=True)
    second /= second.sum(axis=1, keepdims=True)
    known = {}
    if "y_true" in tags_of(measure).requires:
        known["y_true"] = rng.integers(32_000, size=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        measure.fit(first[:2], second[:2], **{k: v[:2] for k, v in known.items()})
        tracemalloc.start()
        measure.fit(first, second, **known)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak <= 2 * first.nbytes
