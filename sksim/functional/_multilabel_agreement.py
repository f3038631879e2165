"""Agreement of two models that give each row any number of labels."""

from numbers import Real

from sksim._sklearn_compat import Interval, StrOptions
from sksim.base._tags import SimilarityTags
from sksim.functional._rowwise import RowwiseDistance
from sksim.functional._tags import INTERVALS_OF_KINDS, OF_ROW_SUMS


class MultilabelAgreement(RowwiseDistance):
    r"""Agreement of two models' sets of labels, row by row.

    With the sets :math:`A_i, A_i'` of the labels that each model gives to row i,

    .. math:: m(f, f') = \frac{1}{N} \sum_i \frac{|A_i \cap A_i'|}{|A_i \cup A_i'|} ,

    1 where both are empty; or the share of labels on whose presence both agree, or of
    rows with equal sets. A similarity in [0, 1].

    Parameters
    ----------
    kind : {"jaccard", "hamming", "subset"}, default="jaccard"
        Which of the three, in this order. "hamming" counts labels that neither gives as
        agreement, and is high wherever labels are rare.
    threshold : float, default=0.5
        A label is given where its number is above: 0 and 1, or the probability of each
        label (a sigmoid).

    Attributes
    ----------
    statistic_, similarity_ : float
        Mean agreement.
    score_ : float
        The same.
    row_values_ : array of shape (n_samples,)
        Agreement of each row.
    n_features_in_, n_features_y_in_ : int
        Number of labels.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If X and y differ in the number of labels.

    See Also
    --------
    Disagreement : Of one label for each row.

    References
    ----------
    G. Tsoumakas, I. Katakis. Multi-label classification: an overview. International
    Journal of Data Warehousing and Mining, 2007.

    Examples
    --------
    >>> from sksim.functional import MultilabelAgreement
    >>> first, second = [[1, 1, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 0]]
    >>> MultilabelAgreement().fit(first, second).similarity_
    0.75
    >>> MultilabelAgreement("subset").fit(first, second).similarity_
    0.5
    """

    _parameter_constraints: dict = {
        "kind": [StrOptions({"jaccard", "hamming", "subset"})],
        "threshold": [Interval(Real, None, None, closed="neither")],
    }

    def __init__(self, kind="jaccard", *, threshold=0.5):
        self.kind = kind
        self.threshold = threshold

    def _view(self, X, xp):
        return self.threshold < X

    def _row_values(self, rows_x, rows_y, xp):
        def count(of):
            return xp.astype(xp.count_nonzero(of, axis=1), xp.float64)

        if self.kind == "subset":
            return xp.astype(xp.all(rows_x == rows_y, axis=1), xp.float64)
        if self.kind == "hamming":
            return count(rows_x == rows_y) / rows_x.shape[1]
        shared, any_given = count(rows_x & rows_y), count(rows_x | rows_y)
        is_empty = any_given == 0
        one = xp.ones_like(shared)
        return xp.where(is_empty, one, shared / xp.where(is_empty, one, any_given))

    def _similarity_tags(self):
        return SimilarityTags(
            family="functional",
            orientation="similarity",
            bounds=(0, 1),
            inputs="outputs",
            requires=("outputs", "label_sets"),
            intervals=INTERVALS_OF_KINDS,
            exact=OF_ROW_SUMS,
            streaming=True,
            complexity="n c",
            reference="Tsoumakas & Katakis 2007",
        )
