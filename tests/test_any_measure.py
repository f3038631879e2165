"""A measure is meant by an instance, its class or its name, wherever one is taken."""

import inspect

import numpy as np
import pytest
from sklearn.decomposition import PCA

import sksim
from sksim import CKA, Magnitude, MutualKNN

rng = np.random.default_rng(0)
X, Y, Z = rng.normal(size=(3, 20, 4))
LAYERS = {"a": X, "b": X + Y, "c": Z}
SEED = {"random_state": 0}


def _calls():
    """Each function that takes a measure, as a function of the measure alone."""
    a, b, c = (PCA(width).fit(X) for width in (2, 3, 4))
    null, matrix = sksim.PermutationNullDisplay, sksim.SimilarityMatrixDisplay
    drawn = {"n_permutations": 9, **SEED}
    zoo = sksim.ModelZoo.from_arrays(
        {"model_id": list(LAYERS), "part": "base", "level": ""},
        {name: {"last": R} for name, R in LAYERS.items()},
        y_true=[0, 1] * 10,
    )
    return {
        "similarity_test": lambda m: sksim.similarity_test(m, X, Y, **SEED).to_dict(),
        "similarity_interval": lambda m: sksim.similarity_interval(m, X, Y).to_dict(),
        "equivalence_test": lambda m: sksim.equivalence_test(
            m, X, Y, margin=0.1
        ).to_dict(),
        "compare_similarities": lambda m: sksim.compare_similarities(
            m, X, Y, Z
        ).to_dict(),
        "similarity_matrix_test": lambda m: sksim.similarity_matrix_test(
            m, LAYERS, **drawn
        ).to_dict(),
        "similarity_to_group": lambda m: sksim.similarity_to_group(
            m, X, [Y, X + Y, Z]
        ).to_dict(),
        "ReplicatesDisplay.from_representations": lambda m: (
            sksim.ReplicatesDisplay.from_representations(
                m, [X, Y, Z] * 2, [X + Y, Z] * 2
            ).pairs.to_dict()
        ),
        "GroupSimilarityDisplay.from_representations": lambda m: (
            sksim.GroupSimilarityDisplay.from_representations(
                m, X, [Y, X + Y, Z]
            ).table.to_dict()
        ),
        "noise_ceiling": lambda m: sksim.noise_ceiling(m, [X, Y, X + Y]).to_dict(),
        "replicate_test": lambda m: sksim.replicate_test(
            m, [X, Y, Z] * 2, [X + Y, Z] * 2
        ).to_dict(),
        "similarity_matrix": lambda m: sksim.similarity_matrix(m, LAYERS).to_numpy(),
        "compare": lambda m: (
            sksim.compare(X, Y, measures=m, **SEED)
            .to_frame()
            .drop(columns="seconds")
            .to_dict()
        ),
        "layer_identification": lambda m: sksim.layer_identification(
            m, [LAYERS, {name: R + Z for name, R in LAYERS.items()}]
        ).to_dict(),
        "reliability": lambda m: sksim.reliability(m, X @ X.T, **SEED).to_dict(),
        "probe_grounding": lambda m: sksim.probe_grounding(m, zoo).to_dict(),
        "model_recovery": lambda m: sksim.model_recovery(m, LAYERS).to_dict(),
        "null_drift": lambda m: sksim.null_drift(m, grid=[(20, 2), (20, 4)]).to_dict(),
        "evaluate_measures": lambda m: (
            sksim.evaluate_measures(m, zoo, tests=["probe"])
            .table.drop(columns="seconds")
            .to_dict()
        ),
        "alignment_curve": lambda m: sksim.alignment_curve(
            m, X, Y, n_neighbors=[2, 3]
        ).to_dict(),
        "AlignmentCurveDisplay.from_representations": lambda m: (
            sksim.AlignmentCurveDisplay.from_representations(
                m, X, Y, n_neighbors=[2, 3]
            ).table.to_dict()
        ),
        "ContributionsDisplay.from_representations": lambda m: (
            sksim.ContributionsDisplay.from_representations(m, X, Y).table.to_dict()
        ),
        "layer_similarity_matrix": lambda m: sksim.layer_similarity_matrix(
            m, a, b, X
        ).scores.to_numpy(),
        "instance_variance": lambda m: sksim.instance_variance(m, [X, Y]),
        "ModelMapDisplay.from_representations": lambda m: (
            sksim.ModelMapDisplay.from_representations(m, LAYERS).coordinates
        ),
        "ModelMapDisplay.from_estimators": lambda m: (
            sksim.ModelMapDisplay.from_estimators(
                m, {"a": a, "b": b, "c": c}, X
            ).coordinates
        ),
        "SimilarityMatrixDisplay.from_representations": lambda m: (
            matrix.from_representations(m, LAYERS, **drawn).pvalues
        ),
        "SimilarityMatrixDisplay.from_estimators": lambda m: (
            matrix.from_estimators(m, a, b, X, **drawn).pvalues
        ),
        "PermutationNullDisplay.from_representations": lambda m: (
            null.from_representations(m, X, Y, **drawn).null_distribution
        ),
        "PermutationNullDisplay.from_estimators": lambda m: (
            null.from_estimators(m, a, b, X, **drawn).null_distribution
        ),
    }


CALLS = _calls()


def test_all_that_take_a_measure_are_tested():
    """By discovery; checks of sksim.testing are of one instance."""
    found = set()
    for name in sksim.__all__:
        value = getattr(sksim, name)
        if inspect.isclass(value) and name.endswith("Display"):
            methods = inspect.getmembers(value, inspect.ismethod)
            functions = {f"{name}.{method}": f for method, f in methods}
        else:
            functions = {name: value} if inspect.isfunction(value) else {}
        for path, function in functions.items():
            is_check = function.__module__.startswith("sksim.testing")
            # displays of one measure take it once it is fitted
            is_check |= path.endswith(".from_measure")
            takes = {"measure", "measures"} & set(
                inspect.signature(function).parameters
            )
            if takes and not is_check:
                found.add(path)
    assert found == set(CALLS)


@pytest.mark.filterwarnings("ignore:.* is biased at 20 rows")
@pytest.mark.parametrize("name", sorted(CALLS))
def test_instance_class_and_name_are_the_same(name):
    call = CALLS[name]
    others = {"instance_variance": Magnitude, "alignment_curve": MutualKNN}
    others["AlignmentCurveDisplay.from_representations"] = MutualKNN
    cls = others.get(name, CKA)
    by_instance = call(cls())
    for measure in (cls, cls.__name__, cls.__name__.lower()):
        np.testing.assert_equal(call(measure), by_instance)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_what_is_no_measure_is_refused(name):
    with pytest.raises(ValueError, match="There is no measure or family 'CKAA'"):
        CALLS[name]("CKAA")
    with pytest.raises(ValueError, match="must be a similarity measure"):
        CALLS[name](np.mean)
