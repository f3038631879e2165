"""Who gives the scores that are judged: a measure, or chance."""

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


class MeasureScores:
    """Scores by a measure, the same whenever they are asked for.

    Parameters
    ----------
    measure : estimator, class or str
        Its open seeds are set.
    random_state : int, default=0

    Attributes
    ----------
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
            scores = similarity_matrix(self.measure, Xs, Ys, **used)
            if Ys is not None and not self.tags.symmetric:
                back = similarity_matrix(self.measure, Ys, Xs, **used)
                with np.errstate(invalid="ignore"):
                    scores = (scores + back.T) / 2
        return scores


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
