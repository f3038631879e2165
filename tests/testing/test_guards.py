"""Each check of a measure fails on the mistake that it is there for."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from sksim.alignment import OrthogonalProcrustes
from sksim.base import (
    BaseSimilarity,
    Comparison,
    InnerProductComparison,
    RowSumComparison,
    SimilarityTags,
)
from sksim.base._inner_product import InnerProductGrid
from sksim.compose import TransformedViews
from sksim.functional import (
    CohenKappa,
    Disagreement,
    ExplanationAgreement,
    PerformanceDifference,
)
from sksim.functional._attributions import TopFeatures
from sksim.functional._labels import CodedLabels
from sksim.neighbors import MutualKNN
from sksim.neighbors._overlap import OverlapComparison
from sksim.rsm import CKA, RSA, DistanceCorrelation, MinibatchCKA
from sksim.testing import similarity_checks


def failing_checks(measure, name):
    """Whether the check of a name fails on the measure; every other may do so too."""
    checks = [check for _, check in similarity_checks(measure) if _name(check) == name]
    assert checks, f"{name} is not run on {measure!r}"
    for check in checks:
        try:
            check(measure)
        except Exception:
            return True
    return False


def _name(check):
    return getattr(check, "func", check).__name__


def with_tags(cls, **changes):
    """A measure that claims something else."""

    class Claiming(cls):
        def _similarity_tags(self):
            return replace(super()._similarity_tags(), **changes)

    return Claiming


def of_kind(cls, kind):
    return type("OfAnotherKind", (cls,), {"_kind": kind})


class WrongNullMean(InnerProductComparison):
    def _null_mean(self):
        return 1.02 * super()._null_mean()


class WrongNullMoments(InnerProductComparison):
    def _trace_form(self):
        form = super()._trace_form()
        return form._replace(scale=1.01 * form.scale)


class WrongJackknife(InnerProductComparison):
    def _without_each_row(self):
        values = super()._without_each_row()
        return values + 1e-6 * (np.arange(len(values)) == 5)


class WrongWeights(InnerProductComparison):
    def _weighted(self, weights):
        return super()._weighted(weights**2 + 1e-3)


class WrongRowSums(RowSumComparison):
    def _weighted(self, weights):
        return super()._weighted(np.minimum(weights, 1))


class WrongOverlap(OverlapComparison):
    def _null_mean(self):
        return 1.3 * super()._null_mean()


class OnlyFirstOrder(InnerProductComparison):
    def for_permutations(self):
        return self

    def permuted(self, orders):
        return super().permuted([orders[0] for _ in orders])


class WrongGrid(InnerProductGrid):
    def values(self):
        values = super().values()
        return values[::-1, ::-1] if values.shape == (2, 2) else values


class OfWrongGrid(InnerProductComparison):
    @classmethod
    def grid(cls, **fields):
        return WrongGrid(kind=cls, **fields)


class WrongExchange(Comparison):
    def exchanged(self, masks):
        return [self.value() for _ in masks]


class FeaturesThatStay(ExplanationAgreement):
    def _view(self, X, xp):
        view = super()._view(X, xp)
        return StayingFeatures(view.values, view.top)


class StayingFeatures(TopFeatures):
    def rearranged(self, order):
        return self


@dataclass(frozen=True)
class BadlyJoinedCodes(CodedLabels):
    def joined(self, other):
        codes = np.concatenate([self.codes, np.zeros_like(other.codes)])
        return BadlyJoinedCodes(codes, self.classes)


class BadlyJoined(CohenKappa):
    def _view(self, X, xp):
        return BadlyJoinedCodes(**vars(super()._view(X, xp)))


class RowWiseKernel(CKA):
    _views_are_row_wise = True


class StoringKernel(DistanceCorrelation):
    def _of_product(self, product, view_x, view_y, n_samples):
        self.product_ = product
        return super()._of_product(product, view_x, view_y, n_samples)


class ZeroTransform(OrthogonalProcrustes):
    def _transform_x(self, X, xp):
        return xp.zeros((X.shape[0], self.n_features_y_in_))


class NotInY(OrthogonalProcrustes):
    def _transform_x(self, X, xp):
        return (X - self.x_mean_) @ self.x_rotations_


class ConstantNorm(CKA):
    """The norm of a view is a number, which has no gradient."""

    def _view(self, X, xp, role):
        view = super()._view(X, xp, role)
        norm = view.norm.detach() if hasattr(view.norm, "detach") else view.norm
        return replace(view, norm=norm)


class PairedOfParts(BaseSimilarity):
    """Centered kernel alignment of a random half of the rows."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def _view(self, X, xp, seed):
        half = X[np.random.default_rng(seed).permutation(len(X))[: len(X) // 2]]
        rows = half - half.mean(axis=0)
        return rows @ rows.T / np.linalg.norm(rows @ rows.T)

    def _compare(self, view_x, view_y, xp):
        return np.sum(view_x * view_y)

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(0, 1),
            paired=False,
            deterministic=False,
            view_keywords=("seed",),
            intervals=(),
            complexity="n d",
            reference="-",
        )


MISTAKES = {
    "null mean is 2 % off": (of_kind(CKA, WrongNullMean)(), "check_null_moments"),
    "null spread is 1 % off": (of_kind(CKA, WrongNullMoments)(), "check_null_moments"),
    "null mean of neighbours": (
        of_kind(MutualKNN, WrongOverlap)(),
        "check_null_moments",
    ),
    "jackknife is off in one row": (of_kind(CKA, WrongJackknife)(), "check_jackknife"),
    "weights of pairs": (
        of_kind(CKA, WrongWeights)(debias="rows"),
        "check_weighted_rows",
    ),
    "weights of sums": (of_kind(Disagreement, WrongRowSums)(), "check_weighted_rows"),
    "kinds of rows that are none": (
        with_tags(CKA, intervals=("jackknife", "gaffke"))(),
        "check_row_kinds",
    ),
    "kinds of rows, and not said": (
        with_tags(CohenKappa, intervals=("jackknife",))(),
        "check_row_kinds",
    ),
    "bootstrap of a kernel": (
        with_tags(CKA, intervals=("bootstrap",))(),
        "check_bootstrap_is_valid",
    ),
    "the first order only": (of_kind(CKA, OnlyFirstOrder)(), "check_permuted"),
    "pairs in another place": (of_kind(CKA, OfWrongGrid)(), "check_many_pairs"),
    "rows that are not swapped": (
        of_kind(PerformanceDifference, WrongExchange)(scoring="f1_macro"),
        "check_exchanged",
    ),
    "features that stay": (FeaturesThatStay(k=2), "check_rearranged"),
    "part of a view that relates rows": (RowWiseKernel(), "check_some_rows"),
    "views that are joined badly": (BadlyJoined(), "check_joined"),
    "a kernel that stores": (StoringKernel(), "check_kernels_store_nothing"),
    "transform gives zeros": (ZeroTransform(), "check_transform_lands"),
    "transform lands elsewhere": (NotInY(), "check_transform_lands"),
    "gradients of a constant norm": (ConstantNorm(), "check_gradients"),
    "gradients that are not there": (
        with_tags(RSA, differentiable=True)(),
        "check_gradients",
    ),
    "unpaired with a seed": (PairedOfParts(), "check_pairing"),
    "exact, but not so": (
        with_tags(CKA, exact={"jackknife"})(kernel="rbf"),
        "check_jackknife",
    ),
    "exact, and not said": (with_tags(CKA, exact=())(), "check_jackknife"),
    "exact columns, but not so": (
        with_tags(CKA, exact={"jackknife", "columns"})(kernel="cosine"),
        "check_columns",
    ),
    "exact null, and not said": (
        with_tags(DistanceCorrelation, exact={"jackknife"})(squared=True),
        "check_null_moments",
    ),
    "exact bootstrap, and not said": (
        with_tags(Disagreement, exact={"jackknife"})(),
        "check_weighted_rows",
    ),
    "exact beyond the kind": (
        with_tags(MinibatchCKA, exact={"jackknife"})(),
        "check_exact_tag",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_found(mistake):
    measure, name = MISTAKES[mistake]
    assert failing_checks(measure, name)


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"family": "cca"}, "check_origin"), ({"extra": "nothing"}, "check_origin")],
)
def test_wrong_family_and_extra_are_found(monkeypatch, changes, name):
    tags = CKA()._similarity_tags()
    monkeypatch.setattr(CKA, "_similarity_tags", lambda _: replace(tags, **changes))
    assert failing_checks(CKA(), name)


@pytest.mark.parametrize("forgotten", ["_kind", "_engine"])
def test_wrapper_that_forgets_is_found(monkeypatch, forgotten):
    measure = PerformanceDifference() if forgotten == "_kind" else CohenKappa()
    assert not failing_checks(measure, "check_wrapped")
    monkeypatch.setattr(
        TransformedViews, forgotten, getattr(BaseSimilarity, forgotten), raising=False
    )
    assert failing_checks(measure, "check_wrapped")


def test_right_measures_pass():
    for measure, name in MISTAKES.values():
        right = next(c for c in type(measure).__mro__ if c.__module__[:5] == "sksim")
        if right is not BaseSimilarity:
            assert not failing_checks(right(**measure.get_params()), name)
