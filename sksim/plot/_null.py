"""Picture of a score among the scores that chance gives."""

from typing import Self

import numpy as np

from sksim._typing import ArrayLike, Axes, Measure, Model
from sksim.inference import SimilarityTestResult, similarity_test
from sksim.models._last_layers import layers_of_two
from sksim.pairwise._inputs import refuse_order_of_its_own
from sksim.plot._axes import axes_or_new


class PermutationNullDisplay:
    """Histogram of the null distribution, with the observed score.

    Parameters
    ----------
    score : float
        The observed score.
    null_distribution : ndarray of shape (n_permutations,)
        Scores under the null hypothesis.
    pvalue : float
        P-value of the score.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    line_ : matplotlib Line2D
        The observed score.

    See Also
    --------
    sksim.inference.similarity_test : Makes the result that is drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.inference import similarity_test
    >>> from sksim.plot import PermutationNullDisplay
    >>> from sksim.rsm import CKA
    >>> X, y = np.random.default_rng(0).normal(size=(2, 40, 3))
    >>> result = similarity_test(CKA(), X, y, n_permutations=99, random_state=0)
    >>> display = PermutationNullDisplay.from_result(result).plot()
    >>> display.ax_.get_xlabel()
    'score'
    """

    def __init__(self, *, score, null_distribution, pvalue):
        self.score = score
        self.null_distribution = null_distribution
        self.pvalue = pvalue

    @classmethod
    def from_result(cls, result: SimilarityTestResult) -> Self:
        """Display of a test's result.

        Parameters
        ----------
        result : SimilarityTestResult
            Result of :func:`sksim.inference.similarity_test`.

        Returns
        -------
        display : PermutationNullDisplay
            Not drawn yet: call ``plot``.
        """
        if result.null_distribution is None:
            raise ValueError(
                f"The result of method={result.method!r} holds no null distribution to "
                "draw. Use similarity_test(..., method='permutation')."
            )
        return cls(
            score=result.score,
            null_distribution=result.null_distribution,
            pvalue=result.pvalue,
        )

    @classmethod
    def from_representations(
        cls, measure: Measure, X: ArrayLike, y: ArrayLike, **params: object
    ) -> Self:
        """Display of the test of two representations.

        Parameters
        ----------
        measure : estimator, class or str
            The measure, its class, or its name.
        X : array-like of shape (n_samples, n_features)
            First representation.
        y : array-like of shape (n_samples, n_features_y)
            Second representation of the same rows.
        **params : dict
            Parameters of :func:`sksim.inference.similarity_test`, such as
            ``n_permutations`` and ``random_state``.

        Returns
        -------
        display : PermutationNullDisplay
            Not drawn yet: call ``plot``.
        """
        return cls.from_result(similarity_test(measure, X, y, **params))

    @classmethod
    def from_estimators(
        cls,
        measure: Measure,
        a: Model,
        b: Model,
        data: ArrayLike,
        *,
        layer: str | tuple[str, str] | None = None,
        **params: object,
    ) -> Self:
        """Display of the test of one layer of two fitted models.

        Parameters
        ----------
        measure : estimator, class or str
            The measure, its class, or its name.
        a, b : fitted models
            The models.
        data : array-like of shape (n_samples, n_features)
            Rows that both models are applied to.
        layer : str or tuple of two str, default=None
            Name of the layer, or of that of a and that of b; None for the last before
            the models' answers.
        **params : dict
            Parameters of :func:`sksim.inference.similarity_test`.

        Returns
        -------
        display : PermutationNullDisplay
            Not drawn yet: call ``plot``.
        """
        of_rows = {name: params.get(name) for name in ("y_true", "groups", "strata")}
        refuse_order_of_its_own(data, **of_rows)
        views = layers_of_two(a, b, data, layer)
        return cls.from_representations(measure, *views, **params)

    def plot(
        self, ax: Axes | None = None, *, bins: int = 30, name: str | None = None
    ) -> Self:
        """Draw the histogram and the observed score.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        bins : int, default=30
            Number of bars.
        name : str, default=None
            Title, such as the measure's name.

        Returns
        -------
        display : PermutationNullDisplay
            The display itself, with the artists it drew.
        """
        ax = axes_or_new(ax, self)
        scores = self.null_distribution[np.isfinite(self.null_distribution)]
        ax.hist(scores, bins=bins, color="0.75", label="rows permuted")
        self.line_ = ax.axvline(
            self.score, color="C3", label=f"observed, p = {self.pvalue:.3g}"
        )
        ax.set_xlabel("score")
        ax.set_ylabel("permutations")
        if name is not None:
            ax.set_title(name)
        ax.yaxis.get_major_locator().set_params(integer=True)
        legend = ax.legend(fontsize="small", handlelength=1)
        legend.set_in_layout(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
