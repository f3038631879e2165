"""How many answers a row offers: a parameter of measures, or metadata of rows."""

from numbers import Integral

import numpy as np
from sklearn.utils.metaestimators import available_if

from sksim._sklearn_compat import Interval, fit_context
from sksim.arrays._namespace import to_numpy
from sksim.base._streamed import is_streaming

OPTIONS_CONSTRAINT = [Interval(Integral, 2, None, closed="left"), "array-like", None]


class OptionsMixin:
    """Mixin for measures whose chance depends on how many answers a row offers.

    The number is the parameter ``n_options``, or metadata of that name, which travels
    with the rows and comes first.
    """

    __metadata_request__fit = {"n_options": True}
    __metadata_request__score = {"n_options": True}

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y=None,
        y_true=None,
        *,
        n_options=None,
        classes=None,
        fill_missing_classes=False,
    ):
        """Compare the answers of models to the same rows.

        Parameters
        ----------
        X : array-like
            What the first model answers to each row; for groups all models' answers.
        y : array-like, default=None
            What the second model answers to the same rows.
        y_true : array-like of shape (n_samples,)
            Right answers.
        n_options : array-like of shape (n_samples,), default=None
            Number of answers that each row offers; None: the parameter ``n_options``.
        classes : sequence, default=None
            Class of each column of arrays that have no names of columns; or one such
            sequence for each array. Tables are put into one order by their names.
        fill_missing_classes : bool, default=False
            Whether a class that one side has and the other lacks has probability 0
            there. Otherwise it is refused.

        Returns
        -------
        self : object
            The fitted measure: the result is in ``statistic_`` and ``score_``.
        """
        names = {"classes": classes, "fill_missing_classes": fill_missing_classes}
        return self._fit(X, y, y_true=y_true, n_options=n_options, **names)

    def score(
        self,
        X=None,
        y=None,
        y_true=None,
        *,
        n_options=None,
        classes=None,
        fill_missing_classes=False,
    ):
        """Similarity, oriented so that greater means more similar.

        Parameters
        ----------
        X : array-like, default=None
            What the first model answers to new rows; for groups all models' answers.
        y : array-like, default=None
            What the second model answers to the same new rows.
        y_true : array-like of shape (n_samples,), default=None
            Right answers to the new rows.
        n_options : array-like of shape (n_samples,), default=None
            Number of answers that each new row offers; None: the parameter
            ``n_options``.
        classes : sequence, default=None
            Class of each column of arrays that have no names of columns; or one such
            sequence for each array. Tables are put into one order by their names.
        fill_missing_classes : bool, default=False
            Whether a class that one side has and the other lacks has probability 0
            there. Otherwise it is refused.

        Returns
        -------
        score : float
            Without data the fitted ``score_``, with data the measure on the new rows.
        """
        names = {"classes": classes, "fill_missing_classes": fill_missing_classes}
        return self._score(X, y, y_true=y_true, n_options=n_options, **names)

    @available_if(is_streaming)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X,
        y=None,
        y_true=None,
        *,
        n_options=None,
        classes=None,
        fill_missing_classes=False,
    ):
        """Go on with further rows.

        Parameters
        ----------
        X : array-like
            Next rows of the first model's answers, one or more; for groups of all
            models' answers.
        y : array-like, default=None
            The same rows of the second model's answers.
        y_true : array-like of shape (n_samples,)
            Right answers to these rows.
        n_options : array-like of shape (n_samples,), default=None
            Number of answers that each of these rows offers; None: the parameter
            ``n_options``.
        classes : sequence, default=None
            Class of each column of arrays that have no names of columns. None: 0, 1,
            ...
        fill_missing_classes : bool, default=False
            Whether a class that one side has and the other lacks has probability 0
            there. Otherwise it is refused.

        Returns
        -------
        self : object
            The measure of all rows that were passed since it was made, or since the
            last ``fit``, which starts anew.
        """
        names = {"classes": classes, "fill_missing_classes": fill_missing_classes}
        return self._partial_fit(X, y, y_true=y_true, n_options=n_options, **names)

    def _options_of(self, n_rows, given, *, xp):
        """Options of each row as integers of numpy, or None where nobody says."""
        if given is not None:
            options = to_numpy(given, xp=xp)
        elif self.n_options is not None:
            options = np.asarray(self.n_options)
        else:
            return None
        if options.shape not in ((), (n_rows,)):
            raise ValueError(
                f"n_options has the shape {options.shape} for {n_rows} rows: pass one "
                "number for all rows or one for each. Numbers of new rows, or of a "
                "part of the rows, are passed to fit and score as n_options=..., or "
                "to functions as metadata={'n_options': ...}."
            )
        is_number = options.dtype.kind in "iuf"
        if not is_number or not np.all((options >= 2) & (options == np.round(options))):
            raise ValueError(
                "n_options must hold whole numbers, 2 or more, of the answers that a "
                f"row offers; got {np.unique(options).tolist()[:5]}. Leave out rows "
                "that offer one answer: models can't differ there."
            )
        return np.broadcast_to(options.astype(np.int64), (n_rows,))
