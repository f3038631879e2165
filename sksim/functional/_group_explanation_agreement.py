"""Whether many models' decisions are explained by the same features."""

from itertools import combinations

import numpy as np

from sksim.base import BaseGroupSimilarity
from sksim.base._row_sums import GroupSumComparison
from sksim.functional._attributions import AttributionsMixin, attribution_tags


class GroupExplanationAgreement(AttributionsMixin, BaseGroupSimilarity):
    r"""Agreement of many explanations of the same rows, as of models of several seeds.

    .. math:: m(G) = \frac{2}{L (L - 1)} \sum_{f < f'} m(f, f')

    with the :class:`ExplanationAgreement` of each pair of L explanations. A similarity
    in [0, 1], of correlations in [-1, 1].

    Parameters
    ----------
    kind : str, default="feature"
        Which agreement: "feature", "rank", "sign", "signed_rank", "rank_correlation" or
        "pairwise_rank", see :class:`ExplanationAgreement`.
    k : int, default=None
        Number of features that count for the first four; None: a quarter of them,
        rounded up. Of equal magnitudes the first features come first.
    null : {"features", "rows"}, default="features"
        What :func:`~sksim.inference.similarity_test` supposes: that the features of
        each row might as well have changed places, or whole rows.
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where no row has a correlation for any pair, since all magnitudes are
        equal. If some have, the others are left out.

    Attributes
    ----------
    statistic_, similarity_ : float
        Mean agreement.
    score_ : float
        The same.
    row_values_ : ndarray of shape (n_samples,)
        Mean over pairs of each row; nan where it is undefined.
    pair_values_ : ndarray of shape (n_models, n_models)
        Agreement of each pair; nan on the diagonal.
    n_models_ : int
        Number of explanations.
    n_features_in_ : int
        The same, where X held all of them.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If X holds fewer than two explanations, or has fewer features than k, or one.

    See Also
    --------
    ExplanationAgreement : For two explanations.

    References
    ----------
    S. Krishna, T. Han, A. Gu, S. Wu, S. Jabbari, H. Lakkaraju. The disagreement problem
    in explainable machine learning: a practitioner's perspective. 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.functional import GroupExplanationAgreement
    >>> seeds = [np.array([[0.9, 0.4, 0.1]]), np.array([[0.7, 0.5, 0.2]])]
    >>> seeds.append(np.array([[0.3, 0.5, 0.2]]))
    >>> measure = GroupExplanationAgreement("pairwise_rank").fit(seeds)
    >>> round(measure.similarity_, 3), measure.pair_values_[0].round(3)
    (0.778, array([  nan, 1.   , 0.667]))
    """

    _kind = GroupSumComparison

    def _aggregate(self, views, xp):
        size = len(views)
        # sums of the values of each pair, and the numbers of rows that have one
        sums = np.zeros((2, size, size))
        total = n_defined = 0
        for i, j in combinations(range(size), 2):
            values = self._values_of_rows(views[i], views[j])
            defined = ~np.isnan(values)
            values = np.where(defined, values, 0)
            sums[:, i, j] = values.sum(), defined.sum()
            total, n_defined = total + values, n_defined + defined
        row_values = np.where(n_defined > 0, total / np.maximum(n_defined, 1), np.nan)
        return sums, {"row_values_": row_values}

    def _of_sums(self, sums, n_samples):
        totals, n_defined = sums + np.swapaxes(sums, 1, 2)
        of_pairs = np.where(n_defined > 0, totals / np.maximum(n_defined, 1), np.nan)
        known = of_pairs[np.triu(n_defined) > 0]
        statistic = float(known.mean()) if len(known) else float("nan")
        return statistic, {"pair_values_": of_pairs}

    def _similarity_tags(self):
        return attribution_tags(
            self, arity="group", streaming=True, complexity="n l^2 d log d"
        )
