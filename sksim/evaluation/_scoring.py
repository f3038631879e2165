"""Who gives the scores that are judged: a measure, or chance."""

import time
import warnings
import zlib

import numpy as np
import pandas as pd

from sksim._parallel import on_one_blas_thread
from sksim.base._tags import tags_of
from sksim.discovery import check_measure
from sksim.pairwise import similarity_matrix

# What a measure compares, by the tag ``inputs``.
KIND_OF_INPUTS = {
    "representation": "layers",
    "labels": "labels",
    "probabilities": "outputs",
    "outputs": "outputs",
    "models": "models",
}


# Models of the corner of a matrix by which the time of all of it is foreseen.
_CORNER = 4


class TooSlow(ValueError):
    """A matrix would take more time than is left."""


class MeasureScores:
    """Scores by a measure, the same whenever they are asked for.

    Parameters
    ----------
    measure : estimator, class or str
        Its open seeds are set.
    random_state : int, default=0

    Attributes
    ----------
    seconds_left : float
        Processor time that matrices may take; infinite unless it is set. What is
        foreseen to take more is not begun.
    kind : str
        What is compared: "layers", "labels", "outputs" or "models"; of measures that
        can't be judged, such as those of gradients, their tag ``inputs``.
    """

    def __init__(self, measure, random_state=0):
        measure = check_measure(measure, "judge it")
        seeds = {
            name: random_state
            for name, value in measure.get_params().items()
            if name.rpartition("__")[2] == "random_state" and value is None
        }
        self.measure = measure.set_params(**seeds)
        self.tags = tags_of(measure)
        self.kind = KIND_OF_INPUTS.get(self.tags.inputs, self.tags.inputs)
        self.seconds_left = np.inf

    @on_one_blas_thread
    def matrix(self, Xs, Ys=None, **known):
        """Scores of all pairs; of an asymmetric measure both ways, averaged.

        Parameters
        ----------
        Xs, Ys : dict of arrays
        **known : dict
            ``y_true`` and ``data``, of which the measure takes what it uses.

        Returns
        -------
        scores : DataFrame
        """
        used = {
            name: value
            for name, value in known.items()
            if name in self.tags.view_keywords
        }
        with warnings.catch_warnings():
            # of degenerate pairs, among which are models with themselves
            warnings.simplefilter("ignore")
            if np.isfinite(self.seconds_left):
                self._refuse_slow(Xs, Ys, used)
            scores = similarity_matrix(self.measure, Xs, Ys, **used)
            if Ys is not None and not self.tags.symmetric:
                back = similarity_matrix(self.measure, Ys, Xs, **used)
                with np.errstate(invalid="ignore"):
                    scores = (scores + back.T) / 2
        return scores

    def _refuse_slow(self, Xs, Ys, known):
        """Raise if a matrix would take longer than there is time, by a corner of it."""
        both = [Xs, Xs if Ys is None else Ys]
        if max(map(len, both)) <= 2 * _CORNER:
            return
        corner = [dict(list(side.items())[:_CORNER]) for side in both]
        start = time.process_time()
        similarity_matrix(
            self.measure, corner[0], None if Ys is None else corner[1], **known
        )
        seconds = time.process_time() - start
        n_pairs, n_known = (
            len(x) * len(y) if Ys is not None else len(x) * (len(x) + 1) / 2
            for x, y in (both, corner)
        )
        seconds *= n_pairs / n_known
        if seconds > self.seconds_left:
            raise TooSlow(
                f"{n_pairs:.0f} pairs would take some {seconds:.0f} seconds, and "
                f"{max(self.seconds_left, 0):.0f} are left of time_limit."
            )


class RandomScores:
    """Scores that know nothing: of each two names a random number."""

    kind = "control"

    def matrix(self, Xs, Ys=None, **known):
        """Random scores of all pairs, symmetric if there is one set.

        Parameters
        ----------
        Xs, Ys : dict of arrays
        **known : dict
            Not used.

        Returns
        -------
        scores : DataFrame
        """
        columns = list(Xs) if Ys is None else list(Ys)
        seed = zlib.crc32(repr((list(Xs), columns)).encode())
        values = np.random.default_rng(seed).normal(size=(len(Xs), len(columns)))
        values = values if Ys is not None else values + values.T
        return pd.DataFrame(values, index=list(Xs), columns=columns)
