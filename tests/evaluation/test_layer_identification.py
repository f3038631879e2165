import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import PWCCA
from sksim.datasets import make_layer_stack
from sksim.evaluation import layer_identification
from sksim.rsm import CKA


@pytest.mark.parametrize("measure", [CKA(), OrthogonalProcrustes(), PWCCA()], ids=repr)
def test_equals_the_loop(measure):
    rng = np.random.default_rng(0)
    networks = make_layer_stack(40, 5, 4, n_networks=3, random_state=0)
    networks = [
        {name: R + 2.5 * rng.normal(size=R.shape) for name, R in network.items()}
        for network in networks
    ]
    hits = np.zeros(4)
    for first in networks:
        for second in networks:
            if first is second:
                continue
            for k, layer in enumerate(first.values()):
                scores = [measure.fit(layer, other).score_ for other in second.values()]
                hits[k] += np.argmax(scores) == k
    result = layer_identification(measure, networks)
    assert 0.2 < result.accuracy < 1
    assert_allclose(result.per_layer, hits / 6)
    assert result.accuracy == pytest.approx(hits.sum() / 24)
    assert result.chance == 0.25
    assert_allclose(result.found.sum(axis=1), 1)
    assert list(result.found.columns) == list(networks[0])


def test_ties_are_shared():
    rng = np.random.default_rng(0)
    same = rng.normal(size=(20, 3))
    network = {"a": same, "b": same}
    assert layer_identification(CKA(), [network, network]).accuracy == 0.5


def test_bad_input():
    one = make_layer_stack(random_state=0)
    with pytest.raises(ValueError, match="At least two networks"):
        layer_identification(CKA(), [one])
    with pytest.raises(ValueError, match="list of dicts"):
        layer_identification(CKA(), one)
    other = dict(reversed(one.items()))
    with pytest.raises(ValueError, match="Network 1 has the layers"):
        layer_identification(CKA(), [one, other])
