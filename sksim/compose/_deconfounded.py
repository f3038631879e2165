"""Similarity beyond what the inputs' own similarity explains."""

from dataclasses import replace

from sksim._sklearn_compat import HasMethods, fit_context
from sksim.base._confounder import as_columns_of_classes, classes_of_confounder
from sksim.base._tags import tags_of
from sksim.compose._wrapper import BaseWrapper


class DeconfoundedSimilarity(BaseWrapper):
    r"""CKA, HSIC or RSA after the similarity of the inputs is regressed out.

    Inputs that are alike are represented alike by any network, even a random one, so
    that every pair of networks is similar. Both representational similarity matrices
    are replaced by their residuals on that of the inputs, :math:`K^z`,

    .. math:: \tilde K = K - \frac{\langle K, K^z \rangle}{\langle K^z, K^z \rangle}
        K^z

    and these are compared. For CKA and HSIC the K are the centred kernel matrices, so
    that the result is a partial correlation of kernels; for RSA they are the
    dissimilarities of all pairs of rows, with an intercept, and residuals are ranked
    where RSA ranks. A similarity in [-1, 1] for CKA and RSA: residuals need not be
    positive definite.

    Parameters
    ----------
    measure : CKA, HSIC or RSA
        Measure of the residuals. Its parameters, such as the kernel, apply to the
        inputs too: with "precomputed", z is a given matrix as X and y are.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Similarity of the residuals.
    measure_ : estimator
        The measure that compared them.
    n_features_in_, n_features_y_in_, n_features_z_in_ : int
        Widths of X, y and z.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If z is missing, or explains all of a representation's similarity matrix.

    Notes
    -----
    Keeps n x n matrices. ``z`` is routed metadata of ``fit`` and ``score``, and
    ``metadata={"z": z}`` of :func:`sksim.inference.similarity_test`, of intervals, of
    matrices and of :func:`sksim.pairwise.compare`: it travels with the rows. A z of
    text, booleans or categories is one column for each class.

    A permutation test takes what z explains from both sides, each with its own rows
    in place, and permutes the residuals of y: z moves along with y's rows, and is not
    regressed out again (the partial Mantel test). Its null hypothesis is that what is
    left of the two sides has nothing in common. That is not the same as "nothing in
    common but z": one multiple of z's matrix is taken out, and two maps of z that
    weigh its directions alike stay alike. Of unrelated functions of z with noise (60
    rows, 8 columns, z of 3 normal columns or 6 classes) the free test finds 28 to
    41 % related by CKA and 8 to 35 % by RSA at the level of .05. Where z is a class,
    ``strata=z`` asks the second question: rows change places with rows of the same z,
    and it finds 2 and 4 %. ``compare`` does that by itself for a z of text, booleans or
    categories. Cut a z of numbers into classes of like rows: the finer they are,
    the less of it is left.

    References
    ----------
    T. Cui, Y. Kumar, P. Marttinen, S. Kaski. Deconfounded representation similarity
    for comparison of neural networks. NeurIPS, 2022, arXiv:2202.00095.

    Examples
    --------
    Two random projections of the same inputs are alike, but not beyond the inputs:

    >>> import numpy as np
    >>> from sksim.compose import DeconfoundedSimilarity
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=(100, 5)) * [5, 4, 3, 2, 1]
    >>> X, y = z @ rng.normal(size=(5, 50)), z @ rng.normal(size=(5, 50))
    >>> CKA().fit(X, y).score_ > 0.9
    True
    >>> DeconfoundedSimilarity(CKA()).fit(X, y, z=z).score_ < 0.5
    True

    Two models that know the class of each input, and nothing else in common:

    >>> from sksim.inference import similarity_test
    >>> z = np.array(["cat", "dog", "eel"])[rng.integers(3, size=100)]
    >>> means = dict(cat=[2, 0], dog=[0, 2], eel=[-2, -2])
    >>> X, y = (rng.normal(size=(100, 2)) + [means[label] for label in z] for _ in "ab")
    >>> measure = DeconfoundedSimilarity(CKA())
    >>> similarity_test(measure, X, y, metadata={"z": z}, strata=z).pvalue > 0.05
    True
    """

    __metadata_request__fit = {"z": True}
    __metadata_request__score = {"z": True}

    _parameter_constraints: dict = {
        "measure": [HasMethods(["fit", "score", "_residual_view"])]
    }

    def __init__(self, measure):
        self.measure = measure

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, z=None):
        """Compare two representations beyond the similarity of the inputs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            First representation.
        y : array-like of shape (n_samples, n_features_y)
            Second representation of the same inputs.
        z : array-like of shape (n_samples, n_features_z) or (n_samples,)
            The inputs, or another confounder: numbers, or a class of each row.

        Returns
        -------
        self : object
            The fitted measure.
        """
        return self._fit(X, y, z=z)

    def score(self, X=None, y=None, z=None):
        """Similarity of new rows beyond the similarity of their inputs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), default=None
            New rows of the first representation.
        y : array-like of shape (n_samples, n_features_y), default=None
            The same new rows of the second representation.
        z : array-like of shape (n_samples, n_features_z) or (n_samples,), default=None
            The inputs of the new rows.

        Returns
        -------
        score : float
            Without data the fitted pair's ``score_``.
        """
        return self._score(X, y, z=z)

    def _validated(self, X, y, *, reset, **metadata):
        if reset:
            self._reset_inner()
        return super()._validated(X, y, reset=reset, **metadata)

    def _check_metadata(self, name, values, *, xp, like):
        if name != "z":
            return self._inner._check_metadata(name, values, xp=xp, like=like)
        if values is None:
            raise ValueError(
                "DeconfoundedSimilarity needs the confounder: pass z=... to fit and "
                "score, or metadata={'z': ...} to functions, with one row for each row "
                "of X, such as the networks' inputs. Inside cross_val_score this needs "
                "scikit-learn's metadata routing."
            )
        codes = None if self._is_given else classes_of_confounder(values)
        if codes is not None:
            values = as_columns_of_classes(codes)
        z = super()._check_metadata(name, values, xp=xp, like=like)
        self.n_features_z_in_ = z.shape[1]
        return z

    @property
    def _is_given(self):
        return tags_of(self.measure).precomputed

    def _min_samples(self):
        return self._inner._min_samples()

    # residuals relate all rows to each other
    _views_are_row_wise = False

    def _view(self, X, xp, role, z, **known):
        return self._inner._residual_view(X, z, xp, role, **known)

    def _similarity_tags(self):
        tags = super()._similarity_tags()
        high = tags.bounds[1]
        return replace(
            tags,
            bounds=(-high, high),
            score_bounds=None,
            requires=(*tags.requires, "z"),
            view_keywords=(*tags.view_keywords, "z"),
            # without a row, or with rows that count twice, z explains another share
            exact=tags.exact & {"null", "null_mean"},
            intervals=tuple(m for m in tags.intervals if m != "masked_bootstrap"),
            complexity="n^2 d",
            reference="Cui et al. 2022",
        )
