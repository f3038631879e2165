"""Whether two models differ by more than replicates of them do."""

import warnings
from collections.abc import Mapping

from sksim.functional import Disagreement
from sksim.inference._replicates import replicate_test
from sksim.pairwise._inputs import NotApplicable


def compared_replicates(replicates, pair, headline, measures, seed, *, asks):
    """Tests of two models among their replicates.

    Parameters
    ----------
    replicates : list, dict of "a" and "b" to lists, or None
        In the form of the two models.
    pair : ArrayPair or ModelPair
    headline : Series or None
        Row of the measure of representations.
    measures : dict of str to BaseSimilarity
    seed : int
    asks : bool
        Whether answers are compared.

    Returns
    -------
    found : dict of str to ReplicateTestResult
        By "represent" and "answer".
    """
    if replicates is None:
        return {}
    sides = _sides(replicates)
    wanted = {}
    if headline is not None:
        wanted["represent"] = measures[headline["measure"]]
    if asks:
        wanted["answer"] = Disagreement()
    found = {}
    for topic, measure in wanted.items():
        try:
            found[topic] = _tested(measure, pair, sides, seed)
        except NotApplicable:  # there are no answers, which the verdict says already
            continue
    if not found:
        raise ValueError(
            "replicates are for measures of representations or labels, and none of "
            "these is computed."
        )
    return found


def _sides(replicates):
    if isinstance(replicates, Mapping):
        unknown = sorted(map(repr, set(replicates) - {"a", "b"}))
        if unknown:
            raise ValueError(
                f"replicates must have the keys 'a' and 'b', got {unknown[0]}."
            )
        sides = [list(replicates.get(name, ())) for name in "ab"]
    else:
        sides = [list(replicates), []]
    if not any(sides):
        raise ValueError("replicates is empty: pass one or more of a, or of b.")
    return sides


def _tested(measure, pair, sides, seed):
    of_a, of_b = sides
    (a, b, *views), known = pair.replicates_for(measure, of_a, of_b)
    with warnings.catch_warnings():
        # of too few replicates, which the verdict says
        warnings.simplefilter("ignore", UserWarning)
        return replicate_test(
            measure,
            [a, *views[: len(of_a)]],
            [b, *views[len(of_a) :]],
            metadata={k: v for k, v in known.items() if k == "y_true"} or None,
            random_state=seed,
        )
