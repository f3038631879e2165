"""Similarity of two models by stitching the one's head to the other's tail."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from scipy.optimize import minimize
from sklearn.base import is_classifier
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array

from sksim._sklearn_compat import Interval, StrOptions
from sksim._typing import Model
from sksim.arrays._linalg import thin_svd
from sksim.arrays._views import View
from sksim.base._readable import as_values, has_dtype, readable
from sksim.base._tags import SimilarityTags
from sksim.base._validation import (
    check_label_vector,
)
from sksim.functional._applied_models import AppliedModelsSimilarity
from sksim.functional._stitching_parts import (
    AffineStitch,
    as_provider_input,
    as_rows,
    random_tail,
)
from sksim.models._cutting import CutModel, layer_names
from sksim.models._gradients import values_and_gradients
from sksim.models._judge import judge
from sksim.models._wrapped import columns_of_labels


def stitching_layers(model: Model) -> dict[str, tuple[Model, str]]:
    """Layers at which a model can be cut, ready for a matrix of stitched models.

    Parameters
    ----------
    model : fitted estimator or torch.nn.Module
        An MLPClassifier, MLPRegressor, Pipeline, or a torch module whose parts run one
        after the other.

    Returns
    -------
    layers : dict of str to tuple
        For each layer, from input to output, the pair (model, name of the layer) that
        :class:`ModelStitching` takes.

    See Also
    --------
    sksim.pairwise.similarity_matrix : Stitches all layers to all layers.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sksim.functional import stitching_layers
    >>> X, y = load_iris(return_X_y=True)
    >>> mlp = MLPClassifier((8, 4), max_iter=2000, random_state=0).fit(X, y)
    >>> list(stitching_layers(mlp))
    ['hidden_1', 'hidden_2']
    """
    return {name: (model, name) for name in layer_names(model)}


@dataclass(frozen=True)
class Front(View):
    """A head, its activations, and the decomposition that all its stitches share."""

    head: object
    fitting: np.ndarray
    scoring: np.ndarray
    mean: np.ndarray
    svd: tuple


@dataclass(frozen=True)
class Back(View):
    """A tail, what it is used to be given, and what it is worth."""

    tail: object
    random_tail: object
    fitting: np.ndarray
    labels_fitting: np.ndarray
    labels_scoring: np.ndarray
    end_score: float


class ModelStitching(AppliedModelsSimilarity):
    r"""How well a model's tail works on another model's head, through a simple map.

    f is cut after layer l into :math:`f_{>l} \circ f_{\le l}`, f' likewise. A stitch S,
    an affine map fitted on some rows, joins the head of f to the tail of f'; with the
    quality q on **other** rows,

    .. math:: m(f, f') = \frac{q(f'_{>l'} \circ S \circ f_{\le l})}{q(f')}
        \qquad \text{or} \qquad
        q(f') - q(f'_{>l'} \circ S \circ f_{\le l}) .

    A similarity around 1 (``value="relative"``) or a distance around 0
    (``value="penalty"``), neither of them bounded: a stitched model can beat f'.
    Asymmetric. Invariant to invertible affine maps of the first model's layer (not for
    "ridge" and "procrustes").

    Parameters
    ----------
    stitch : str, default="least_squares"
        What the stitch is fitted to. "least_squares", "ridge" and "procrustes"
        reproduce the activations that the tail is used to: freely, with a penalty
        ``ridge``, or by an isometry and a shift. "task_loss" makes the stitched model
        right (cross-entropy or squared error, with both models frozen, from the
        least-squares stitch on).
    value : {"relative", "penalty"}, default="relative"
        Quality of the stitched model divided by that of the second model, or what is
        lost.
    scoring : str or callable, default=None
        The quality q: any scorer of scikit-learn. None for accuracy, and R^2 for
        regression.
    ridge : float, default=1.0
        Penalty of "ridge".
    max_iter : int, default=100
        Iterations of L-BFGS for "task_loss".
    test_size : float or int, default=0.5
        Share or number of rows that the stitched model is scored on; the stitch is
        fitted on the others. Stratified for classifiers.
    test_rows : array-like, default=None
        Numbers of the rows of ``data`` to score on, or a mask of them, instead of
        random ones.
    random_state : int, RandomState instance or None, default=0
        Seed of the split and of the random tail. A number by default, so that all
        pairs of models are scored on the same rows.

    Attributes
    ----------
    statistic_, similarity_ : float
        Relative quality of the stitched model. With ``value="penalty"`` the alias is
        ``distance_``.
    score_ : float
        The same; minus the penalty.
    stitched_score_, end_score_ : float
        Quality of the stitched model and of the second model.
    identity_score_ : float or None
        Control: quality without a stitch, the head's activations given to the tail as
        they are; None where their shapes differ.
    random_tail_score_ : float
        Control: quality with a tail that has learnt nothing. Its weights are those of
        the tail in random order (a tail without weights is fitted to labels in random
        order). A stitch by "task_loss" is fitted anew for it: it shows what the stitch
        learns all by itself.
    n_stitch_parameters_ : int
        Control: number of free parameters of the stitch.
    head_, stitch_, tail_ : estimators
        The parts: two transformers, and a classifier or regressor.
    stitched_model_ : Pipeline
        The three in a row: predicts on new rows.

    Raises
    ------
    ValueError
        If a model has no such layer (the message lists those that it has), if the
        quality of the second model is not positive and ``value="relative"``, or if
        there are too few rows to split.

    See Also
    --------
    stitching_layers : All layers of a model.
    sksim.cca.MeanCCA : Compares layers without regard to a task.

    Notes
    -----
    A model is given as a pair (model, name of the layer), or as a model, for its last
    layer. Layers are ``hidden_1``, ... of networks, the steps of a Pipeline
    (``mlp.hidden_1`` inside the last), and the children of a torch module by name; a
    torch module must run them one after the other, which is checked.

    The stitch only sees rows that are not scored. A stitch with as many parameters as
    there are labels can learn the task itself, so look at the controls: without
    similarity there is no loss to be seen only if the random tail does badly.

    Least squares asks for the activations themselves; where the tail ignores most of
    them, "task_loss" is the fairer question, and by far the dearer one.

    Of convolutional maps the channels are mapped, the same way at every position.

    References
    ----------
    K. Lenc, A. Vedaldi. Understanding image representations by measuring their
    equivariance and equivalence. CVPR, 2015.

    Y. Bansal, P. Nakkiran, B. Barak. Revisiting model stitching to compare neural
    representations. NeurIPS, 2021.

    A. Csiszárik, P. Kőrösi-Szabó, Á. K. Matszangosz, G. Papp, D. Varga. Similarity and
    matching of neural network representations. NeurIPS, 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sksim.functional import ModelStitching
    >>> X, y = load_iris(return_X_y=True)
    >>> a, b = (
    ...     MLPClassifier((16,), max_iter=2000, random_state=seed).fit(X, y)
    ...     for seed in (0, 1)
    ... )
    >>> measure = ModelStitching().fit((a, "hidden_1"), (b, "hidden_1"), X, y)
    >>> measure.similarity_ > 0.95, measure.random_tail_score_ < 0.7
    (True, True)
    >>> measure.stitched_model_.predict(X[:3])
    array([0, 0, 0])
    """

    _same_classes = False

    _parameter_constraints: dict = {
        "stitch": [StrOptions({"least_squares", "ridge", "procrustes", "task_loss"})],
        "value": [StrOptions({"relative", "penalty"})],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "ridge": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "test_size": [
            Interval(Real, 0, 1, closed="neither"),
            Interval(Integral, 1, None, closed="left"),
        ],
        "test_rows": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        stitch="least_squares",
        *,
        value="relative",
        scoring=None,
        ridge=1.0,
        max_iter=100,
        test_size=0.5,
        test_rows=None,
        random_state=0,
    ):
        self.stitch = stitch
        self.value = value
        self.scoring = scoring
        self.ridge = ridge
        self.max_iter = max_iter
        self.test_size = test_size
        self.test_rows = test_rows
        self.random_state = random_state

    def _check_model(self, model, name):
        if isinstance(model, tuple) and len(model) != 2:
            raise ValueError(
                f"{name} must be a model or a pair (model, layer), got {len(model)} "
                "things."
            )
        model, layer = model if isinstance(model, tuple) else (model, None)
        return CutModel(model, layer, name)

    def _check_truth(self, y_true):
        if not has_dtype(y_true):
            y_true = as_values(y_true, "y_true")
        if len(np.shape(y_true)) == 2 and np.shape(y_true)[1] > 1:
            with readable(y_true, "y_true"):
                return check_array(y_true, input_name="y_true", estimator=self)
        return check_label_vector(y_true, "y_true", self, allow_fractions=True)

    def _view(self, cut, xp, *, role, data, y_true, seed):
        cut.whole.check_width(data)
        fitting, scoring = self._split(y_true, seed)
        cut.check_order(data.values)
        head = cut.head()
        activations = cut.activations(head, data.values)
        if role == "x":
            rows = as_rows(activations[fitting])
            mean = rows.mean(axis=0)
            return Front(
                head,
                activations[fitting],
                activations[scoring],
                mean,
                thin_svd(rows - mean, xp=np),
            )
        tail = cut.tail(data.values, y_true)
        rng = np.random.default_rng(seed)
        control = random_tail(tail, activations[fitting], y_true[fitting], rng)
        end_score = self._quality(tail, activations[scoring], y_true[scoring])
        return Back(
            tail,
            control,
            activations[fitting],
            y_true[fitting],
            y_true[scoring],
            end_score,
        )

    def _split(self, y_true, seed):
        """Rows that the stitch is fitted on, and those that it is scored on."""
        everything = np.arange(len(y_true))
        if self.test_rows is not None:
            scoring = np.asarray(self.test_rows)
            scoring = scoring if len(scoring) else scoring.astype(int)
            chosen = np.zeros(len(everything), dtype=bool)
            try:
                chosen[scoring] = True
            except IndexError as error:
                raise ValueError(
                    f"test_rows must be numbers of rows of data, of which there are "
                    f"{len(everything)}, or a mask of them ({error})."
                ) from error
            if chosen.all() or not chosen.any():
                raise ValueError(
                    f"test_rows leaves {int((~chosen).sum())} rows to fit the stitch "
                    f"on and {int(chosen.sum())} to score it on: it needs both, and "
                    "never fits it on rows that are scored."
                )
            return everything[~chosen], everything[chosen]
        stratify = None
        if y_true.ndim == 1 and y_true.dtype.kind != "f":
            _, counts = np.unique(y_true, return_counts=True)
            stratify = y_true if counts.min() > 1 else None
        try:
            return train_test_split(
                everything,
                test_size=self.test_size,
                random_state=seed,
                stratify=stratify,
            )
        except ValueError as error:
            raise ValueError(
                f"The {len(everything)} rows of data can't be split into rows that the "
                f"stitch is fitted on and rows that it is scored on: {error} Pass more "
                "rows, or test_rows."
            ) from error

    def _compare(self, front, back, xp):
        matching = front.fitting.shape[2:] == back.fitting.shape[2:]
        if front.fitting.ndim <= 3:
            matching = front.fitting.shape[:-1] == back.fitting.shape[:-1]
        if not matching:
            raise ValueError(
                f"The layers have shapes {front.fitting.shape[1:]} and "
                f"{back.fitting.shape[1:]} for each row: a stitch maps channels, or "
                "features, so that all other axes must agree."
            )
        stitch = self._fit_stitch(front, back, back.tail)
        control = stitch
        if self.stitch == "task_loss":
            control = self._fit_stitch(front, back, back.random_tail)
        labels = back.labels_scoring
        stitched = self._quality(back.tail, stitch.transform(front.scoring), labels)
        identity = None
        if front.scoring.shape[1:] == back.fitting.shape[1:]:
            identity = self._quality(back.tail, front.scoring, labels)
        chance = self._quality(
            back.random_tail, control.transform(front.scoring), labels
        )
        return self._against_end(stitched, back.end_score), {
            "stitched_score_": stitched,
            "end_score_": back.end_score,
            "identity_score_": identity,
            "random_tail_score_": chance,
            "n_stitch_parameters_": self._n_parameters(*stitch.matrix.shape),
            "head_": front.head,
            "stitch_": stitch,
            "tail_": back.tail,
            "stitched_model_": Pipeline(
                [("head", front.head), ("stitch", stitch), ("tail", back.tail)]
            ),
        }

    def _quality(self, tail, activations, labels):
        """Score of a tail on activations and true labels."""
        default = "accuracy" if is_classifier(tail) else "r2"
        scorer = (
            self.scoring
            if callable(self.scoring)
            else get_scorer(self.scoring or default)
        )
        return judge(
            scorer,
            tail,
            activations,
            labels,
            what=f"the stitched {type(tail).__name__}",
            hint="Choose a scoring that fits the second model.",
        )

    def _against_end(self, stitched, end):
        if self.value == "penalty":
            return end - stitched
        if end <= 0:
            raise ValueError(
                f"The second model scores {end:.3g}, so that a quality relative to it "
                "means nothing. Use value='penalty', check that y_true uses its "
                "labels, or choose another scoring."
            )
        return stitched / end

    # ----- stitches -----------------------------------------------------------------

    def _fit_stitch(self, front, back, tail):
        """Affine map from the head's activations to the tail's."""
        target = as_rows(back.fitting)
        offset = target.mean(axis=0)
        U, s, Vt = front.svd
        projected = U.T @ (target - offset)
        if self.stitch == "procrustes":
            left, _, right = thin_svd(Vt.T @ (s[:, None] * projected), xp=np)
            matrix = left @ right
        else:
            if self.stitch == "ridge":
                factors = s / (s**2 + self.ridge)
            else:
                rank = s > s[0] * max(len(U), Vt.shape[1]) * np.finfo(float).eps
                factors = np.divide(1, s, out=np.zeros_like(s), where=rank)
            matrix = Vt.T @ (factors[:, None] * projected)
        stitch = AffineStitch(matrix, offset - front.mean @ matrix)
        if self.stitch == "task_loss":
            stitch = self._descend(stitch, front.fitting, back.labels_fitting, tail)
        return stitch

    def _descend(self, stitch, activations, labels, tail):
        """Stitch of smaller task loss, from a first one on."""
        model = as_provider_input(tail)
        rows = as_rows(activations)
        shape = stitch.matrix.shape
        if not is_classifier(tail) and labels.ndim > 1:
            raise ValueError(
                "stitch='task_loss' takes one target: stitch models of several targets "
                "by 'least_squares'."
            )
        if is_classifier(tail):
            labels = columns_of_labels(labels, tail.classes_, "The tail")
            labels = labels if model.is_torch else tail.classes_[labels]

        def loss(parameters):
            matrix = parameters[: -shape[1]].reshape(shape)
            stitched = AffineStitch(matrix, parameters[-shape[1] :])
            mapped = stitched.transform(activations)
            if is_classifier(tail):
                values, G = values_and_gradients(model, mapped, labels, "log_proba")
                total, G = -values.mean(), -G
            else:
                values, G = values_and_gradients(model, mapped)
                error = values - labels
                total = (error**2).mean()
                G = 2 * error.reshape(-1, *[1] * (G.ndim - 1)) * G
            G = as_rows(G) / len(labels)
            return total, np.concatenate([(rows.T @ G).ravel(), G.sum(axis=0)])

        start = np.concatenate([stitch.matrix.ravel(), stitch.offset])
        best = minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self.max_iter},
        ).x
        return AffineStitch(best[: -shape[1]].reshape(shape), best[-shape[1] :])

    def _n_parameters(self, width_x, width_y):
        """Degrees of freedom of the stitch."""
        if self.stitch != "procrustes":
            return (width_x + 1) * width_y
        narrow, wide = sorted((width_x, width_y))
        return narrow * wide - narrow * (narrow + 1) // 2 + width_y

    def _similarity_tags(self):
        return SimilarityTags(
            family="functional",
            orientation="similarity" if self.value == "relative" else "distance",
            bounds=(float("-inf"), float("inf")),
            symmetric=False,
            identity=False,
            inputs="models",
            requires=("models", "data", "y_true"),
            view_keywords=("role", "data", "y_true", "seed"),
            intervals=(),
            deterministic=self.random_state is not None,
            array_api=False,
            complexity="n d^2",
            reference="Lenc & Vedaldi 2015",
        )
