"""What measures can't see, in words that follow from their tags."""

import pytest

from sksim import all_measures
from sksim.base._tags import INVARIANCES, SimilarityTags, tags_of
from sksim.cca import PWCCA, MeanCCA
from sksim.functional import Disagreement, JensenShannonDivergence
from sksim.report._blindness import _IMPLIED, _WORDS, blind_to, sees_beyond
from sksim.rsm import CKA, HSIC, RSA


def tags(codes=(), **others):
    return SimilarityTags(
        family="f",
        orientation="similarity",
        bounds=(0, 1),
        invariances=frozenset(codes),
        **others,
    )


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ((), "no map of the columns, not even another order"),
        (("PT",), "the order of the columns"),
        (("PT", "OT"), "rotations and reflections"),
        (
            ("PT", "OT", "IS", "TR"),
            "rotations and reflections, the overall scale, a shift of all rows",
        ),
        (
            ("PT", "OT", "IS", "ILT", "TR"),
            "any invertible linear map of the columns, a shift of all rows",
        ),
        (tuple(INVARIANCES), "any invertible affine map of the columns"),
    ],
)
def test_the_widest_maps_are_named(codes, words):
    assert blind_to(tags(codes)) == words


def test_sides_of_their_own():
    found = blind_to(tags(["PT"], invariances_y=frozenset(["TR"])))
    assert found == "the order of the columns (in a), a shift of all rows (in b)"


def test_rows_and_answers():
    assert blind_to(tags(["PT"], paired=False)).startswith("which row is which, ")
    assert blind_to(tags(inputs="models", paired=False)) == "what the models answer"
    assert blind_to(tags(inputs="models")) == "nothing that its tags name"
    assert "how sure" in blind_to(tags_of(Disagreement()))
    assert "how sure" not in blind_to(tags_of(JensenShannonDivergence()))


def test_what_one_sees_and_another_does_not():
    cka, cca, rsa, hsic = map(tags_of, (CKA(), MeanCCA(), RSA(), HSIC()))
    # rotations are affine maps too, and CKA sees none
    assert sees_beyond(cka, cca) == "other affine maps of the columns"
    assert sees_beyond(tags(), cca) == "any invertible affine map of the columns"
    # blind to them on one side
    assert sees_beyond(tags_of(PWCCA()), cca) == ""
    assert sees_beyond(cca, cka) == ""
    assert sees_beyond(hsic, cka) == "the overall scale"
    assert "rotations" in sees_beyond(rsa, cka)
    assert sees_beyond(tags_of(Disagreement()), cka) == "the answers"
    assert "before they answer" in sees_beyond(cka, tags_of(Disagreement()))
    assert sees_beyond(tags(), tags(paired=False)) == "which row is which"


def test_there_are_words_for_every_code_and_every_measure():
    assert set(_WORDS) == set(INVARIANCES)
    assert set(_IMPLIED) <= set(INVARIANCES)
    for _, measure in all_measures():
        try:
            found = tags_of(measure())
        except ImportError:
            continue
        assert blind_to(found)
        # what a wider map implies is claimed by the tags themselves
        for code in found.invariances:
            assert _IMPLIED.get(code, set()) <= found.invariances
