"""Parts of one pass in several processes give the numbers of the whole."""

import os
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from sksim.pairwise import LayerwiseSimilarity, layer_similarity_matrix
from sksim.rsm import CKA, MinibatchCKA

torch = pytest.importorskip("torch")

MEASURES = {
    "grams": (MinibatchCKA(), {}),
    "moments": (CKA(debias="rows"), {"keep": "moments"}),
    "powers": (CKA(debias="both"), {"keep": "moments"}),
    "rows": (CKA(kernel="rbf"), {"keep": "rows"}),
    "sketches": (CKA(debias="rows"), {"sketch": 16, "reduce": "flatten"}),
}


def _networks():
    torch.manual_seed(0)
    return [
        torch.nn.Sequential(
            torch.nn.Conv2d(1, width, 3), torch.nn.ReLU(), torch.nn.Conv2d(width, 4, 3)
        )
        for width in (4, 6)
    ]


NETWORKS = _networks()


def networks():
    """Copies for each part: threads share the seed of torch, and no hooks."""
    return deepcopy(NETWORKS)


def batches():
    generator = torch.Generator().manual_seed(1)
    return list(torch.randn((90, 1, 8, 8), generator=generator).split([20, 30, 2, 38]))


def empty(kept):
    measure, params = MEASURES[kept]
    return LayerwiseSimilarity(measure, *networks(), random_state=0, **params)


def part(kept, numbers):
    streamed = empty(kept)
    for number in numbers:
        streamed.update(batches()[number])
    return streamed


def assert_same(merged, whole):
    assert merged.n_samples == whole.n_samples == 90
    for name in ("scores", "standard_error", "z_scores", "pvalues"):
        values = getattr(whole, name)
        if values is None:
            assert getattr(merged, name) is None
            continue
        assert_allclose(getattr(merged, name), values, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("kept", MEASURES)
def test_states_are_merged(kept):
    whole = part(kept, [0, 1, 2, 3]).result()
    merged = empty(kept)
    for numbers in ([0], [1], [2, 3]):
        merged.merge(empty(kept).resume(part(kept, numbers).state()))
    assert_same(merged.result(), whole)


@pytest.mark.parametrize("kept", ["grams", "moments"])
def test_dask_merges_what_its_workers_saw(kept):
    dask = pytest.importorskip("dask")
    whole = part(kept, [0, 1, 2, 3]).result()
    states = dask.compute(
        *[dask.delayed(lambda n: part(kept, n).state())(n) for n in ([0, 1], [2, 3])],
        scheduler="threads",
        num_workers=2,
    )
    merged = empty(kept).resume(states[0])
    merged.merge(empty(kept).resume(states[1]))
    assert_same(merged.result(), whole)


WORKER = """
import sys
import torch.distributed as dist
sys.path.insert(0, {tests!r})
from test_parts_of_a_pass import MEASURES, assert_same, empty, part

rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method="file://" + {store!r}, rank=rank,
                        world_size=2)
for kept in MEASURES:
    numbers = [[0, 1], [2, 3]][rank]
    states = [None, None]
    dist.all_gather_object(states, part(kept, numbers).state())
    merged = empty(kept).resume(states[0]).merge(empty(kept).resume(states[1]))
    assert_same(merged.result(), part(kept, [0, 1, 2, 3]).result())
dist.destroy_process_group()
print("same", rank)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not torch.distributed.is_available(), reason="torch was built without processes"
)
def test_two_processes_of_torch(tmp_path):
    script = tmp_path / "worker.py"
    store = str(tmp_path / "store")
    tests = os.path.dirname(os.path.abspath(__file__))
    script.write_text(WORKER.format(tests=tests, store=store))
    workers = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        outputs = [worker.communicate(timeout=300) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    for rank, (out, err) in enumerate(outputs):
        assert out.split() == ["same", str(rank)], err


def test_parts_may_have_few_rows():
    """The two rows of a part wait for others, and are joined with them."""
    merged = part("grams", [2]).merge(part("grams", [0]))
    with pytest.warns(UserWarning, match="The last 2 rows are in no batch"):
        assert merged.result().n_samples == 20
    both = part("grams", [2]).merge(part("grams", [2])).merge(part("grams", [0]))
    assert both.result().n_samples == 24
    assert np.isfinite(both.result().scores.to_numpy()).all()


# ----- p-values corrected for the number of cells -------------------------------------


def independent_networks():
    """The second's last layer has nothing to do with the first's layers."""
    torch.manual_seed(0)
    a = torch.nn.Sequential(torch.nn.Linear(12, 8), torch.nn.Tanh())
    b = torch.nn.ModuleDict(
        {"same": torch.nn.Linear(6, 5), "other": torch.nn.Linear(6, 5)}
    )

    def layers_of_a(batch):
        return {"0": a(batch[:, :12]).detach().numpy()}

    def layers_of_b(batch):
        return {
            "same": b["same"](batch[:, :6]).detach().numpy(),
            "other": b["other"](batch[:, 12:]).detach().numpy(),
        }

    return layers_of_a, layers_of_b


def test_corrected_pvalues():
    data = torch.randn((200, 18), generator=torch.Generator().manual_seed(2))
    models = independent_networks()
    result = layer_similarity_matrix(
        MinibatchCKA(), *models, list(data.split(50)), n_permutations=99, random_state=0
    )
    corrected = result.pvalues_corrected
    assert corrected.loc["0", "same"] == 0.01
    assert corrected.loc["0", "other"] > 0.05
    assert "pvalue_corrected" in result.to_frame()
    assert result.plot().pvalues.tolist() == corrected.to_numpy().tolist()
    again = layer_similarity_matrix(
        MinibatchCKA(), *models, list(data.split(50)), n_permutations=99, random_state=0
    )
    assert_frame_equal(again.pvalues_corrected, corrected)
    plain = layer_similarity_matrix(MinibatchCKA(), *models, list(data.split(50)))
    assert plain.pvalues_corrected is None
    assert_allclose(np.exp(plain.log_pvalues), plain.pvalues)
    with pytest.raises(ValueError, match="moments are kept alone: keep='rows'"):
        layer_similarity_matrix(
            CKA(), *models, list(data.split(50)), n_permutations=9, keep="moments"
        )


def test_parts_with_orders_of_their_own_are_merged():
    data = torch.randn((80, 18), generator=torch.Generator().manual_seed(2)).split(40)
    models = independent_networks()
    parts = [
        LayerwiseSimilarity(
            MinibatchCKA(), *models, n_permutations=9, random_state=seed
        )
        for seed in (0, 0, 1)
    ]
    for streamed, batch in zip(parts, (*data, data[1]), strict=True):
        streamed.update(batch)
    with pytest.raises(ValueError, match="own random_state"):
        parts[0].merge(parts[1])
    result = parts[0].merge(parts[2]).result()
    assert result.n_samples == 80
    assert 0.1 <= result.pvalues_corrected.to_numpy().min() <= 1
