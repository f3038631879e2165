"""Whether two models' decisions are explained by the same features."""

from sksim.base import BaseFunctionalSimilarity
from sksim.functional._attributions import AttributionsMixin, attribution_tags
from sksim.functional._tags import INTERVALS_OF_KINDS, OF_ROW_SUMS


class ExplanationAgreement(AttributionsMixin, BaseFunctionalSimilarity):
    r"""Agreement of two explanations of the same rows, by the features' attributions.

    ``X`` and ``y`` hold one row for each case and one column for each feature: SHAP
    values, integrated gradients, permutation importances (one row for each repetition),
    or input gradients, of two models or by two methods. With the k features of largest
    magnitude :math:`T_i, T_i'` in their orders, and :math:`s_i, s_i'` the signs,

    .. math:: m = \frac{1}{N} \sum_i \frac{1}{k}
        \big| \{j \in T_i \cap T_i' : s_{ij} = s_{ij}'\} \big|

    for ``kind="sign"``, without the condition for "feature", and with that of equal
    places in the two orders for "rank" and "signed_rank". A similarity in [0, 1], of
    correlations in [-1, 1].

    Parameters
    ----------
    kind : str, default="feature"
        Which of the k features both hold, "feature" (FA); which at the same place,
        "rank" (RA); which with the same sign, "sign" (SA; 0 is one); or both,
        "signed_rank" (SRA). Spearman's correlation of all magnitudes,
        "rank_correlation" (RC), or the share of pairs of features that are in one
        order, "pairwise_rank" (PRA).
    k : int, default=None
        Number of features that count for the first four; None: a quarter of them,
        rounded up. Of equal magnitudes the first features come first.
    null : {"features", "rows"}, default="features"
        What :func:`~sksim.inference.similarity_test` supposes: that the features of
        each row might as well have changed places, or whole rows. Explanations that
        name the same features for all cases agree beyond the first, not the second.
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where no row has a correlation, since all magnitudes are equal. If some
        have, the others are left out.

    Attributes
    ----------
    statistic_, similarity_ : float
        Mean agreement.
    score_ : float
        The same.
    row_values_ : ndarray of shape (n_samples,)
        Agreement of each row; nan where it is undefined.
    n_features_in_, n_features_y_in_ : int
        Number of features.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If X and y differ in the number of features, or have fewer than k, or one.

    See Also
    --------
    SaliencySimilarity : Cosines of two models' input gradients.
    GroupExplanationAgreement : For explanations of many models, as of several seeds.
    sksim.models.input_gradients : Gradients to be compared.

    Notes
    -----
    The implementation of the source asks for equal ranks besides equal places, and so
    differs under ties. Its pairwise agreement depends on the order of the columns there
    and is not offered.

    References
    ----------
    S. Krishna, T. Han, A. Gu, S. Wu, S. Jabbari, H. Lakkaraju. The disagreement problem
    in explainable machine learning: a practitioner's perspective. 2022.

    Examples
    --------
    >>> from sksim.functional import ExplanationAgreement
    >>> first = [[0.9, -0.4, 0.1, 0.0], [0.2, 0.8, -0.5, 0.1]]
    >>> second = [[0.7, 0.5, -0.2, 0.1], [0.1, -0.6, -0.3, 0.2]]
    >>> for kind in ("feature", "sign", "signed_rank", "pairwise_rank"):
    ...     value = ExplanationAgreement(kind, k=2).fit(first, second).similarity_
    ...     print(kind, round(value, 3))
    feature 1.0
    sign 0.5
    signed_rank 0.5
    pairwise_rank 0.917
    """

    def _similarity_tags(self):
        return attribution_tags(
            self,
            intervals=INTERVALS_OF_KINDS,
            exact=OF_ROW_SUMS,
            streaming=True,
            complexity="n d^2" if self.kind == "pairwise_rank" else "n d log d",
        )
