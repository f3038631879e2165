import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import PWCCA
from sksim.datasets import make_layer_stack
from sksim.evaluation import layer_identification
from sksim.models import extract_representations
from sksim.rsm import CKA, MinibatchCKA


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


def networks_of_torch(torch):
    torch.manual_seed(0)
    first = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3),
        torch.nn.Tanh(),
        torch.nn.Conv2d(6, 5, 3),
        torch.nn.Flatten(),
        torch.nn.Linear(80, 4),
    )
    second = copy.deepcopy(first)
    with torch.no_grad():
        for parameter in second.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return first, second


@pytest.mark.parametrize("measure", [CKA(debias="rows"), MinibatchCKA(random_state=0)])
def test_models_see_each_batch_together(measure):
    torch = pytest.importorskip("torch")
    networks = networks_of_torch(torch)
    X = torch.randn(60, 3, 8, 8)
    data = torch.utils.data.DataLoader(X, batch_size=20, shuffle=True)
    options = {"layers": ["0", "2", "output"], "reduce": "mean"}
    result = layer_identification(measure, networks, data=data, **options)
    assert list(result.per_layer.index) == ["0", "2", "output"]
    assert result.accuracy == 1
    layers = [
        {n: v.numpy() for n, v in extract_representations(net, X, **options).items()}
        for net in networks
    ]
    expected = layer_identification(measure, layers)
    found = layer_identification(measure, networks, data=X, **options)
    assert_allclose(found.found, expected.found)


def test_bad_models():
    torch = pytest.importorskip("torch")
    networks, X = networks_of_torch(torch), torch.randn(20, 3, 8, 8)
    with pytest.raises(ValueError, match="or a list of models together with data"):
        layer_identification(CKA(), networks)
    with pytest.raises(ValueError, match="leave out data"):
        layer_identification(CKA(), [{"a": X}] * 2, data=X)
    with pytest.raises(ValueError, match="At least two networks are needed, got 1"):
        layer_identification(CKA(), networks[:1], data=X)
    with pytest.raises(ValueError, match=r"Network 1 has the layers \['0', 'output'\]"):
        layer_identification(CKA(), [networks[0], networks[1][:2]], data=X)
