"""The demonstration: five models of handwritten digits, compared in every way."""

import textwrap
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sksim._cli._compare import print_verdict
from sksim._progress import ProgressBar
from sksim.discovery import all_measures
from sksim.models import extract_outputs, extract_representations
from sksim.models._extract import last_representation
from sksim.pairwise import compare, similarity_matrix
from sksim.report import write_report
from sksim.report._text import format_table

_INTRODUCTION = (
    "Five models of handwritten digits (8 x 8 pixels, ten classes), fitted to the same "
    "half of the data. They are compared on rows that none of them has seen: in what "
    "they represent on the way and in what they answer."
)


def run_demo(
    path,
    *,
    n_permutations=199,
    confidence_level=0.95,
    cost_limit=1e10,
    quick=False,
    verbose=0,
    call=None,
):
    """Fit the models, compare them, print tables and write the report.

    Parameters
    ----------
    path : str
        HTML file to write.
    n_permutations : int, default=199
        Permutations behind each p-value.
    confidence_level : float or None, default=0.95
        Level of the intervals.
    cost_limit : float, default=1e10
        Row operations that the permutations of one measure may take, and its interval.
    quick : bool, default=False
        Fewer rows and smaller models.
    verbose : int, default=0
        Whether to show progress on standard error.
    call : str, default=None
        The command, for the report.
    """
    start = time.perf_counter()
    models, X, y = _fit_models(quick, verbose)
    accuracy = _accuracies(models, X, y)
    # a few hundred rows tell models apart; all would take several times longer
    rows = slice(0, 120 if quick else 300)
    X, y = X[rows], y[rows]
    first, second = models["MLP, seed 0"], models["MLP, seed 1"]
    twins = compare(
        first,
        second,
        X,
        y,
        margin=0.02,
        n_permutations=n_permutations,
        confidence_level=confidence_level,
        cost_limit=cost_limit,
        random_state=0,
        verbose=verbose,
    )
    layers = _layer_matrix(first, second, X)
    represented, disagreeing = _model_matrices(models, X)

    write_report(
        {
            "Two networks that differ in their seed only": twins,
            "Accuracy of the models": accuracy,
        },
        path,
        title="How similar are five models of handwritten digits?",
        text=_INTRODUCTION,
        figures={
            "Layers of two networks, linear CKA": layers,
            "Last representations of all models, debiased CKA": represented,
            "Share of digits on which two models disagree": disagreeing,
        },
        call=call,
    )

    print(f"Two networks that differ in their seed only, {len(X)} rows:\n")
    print_verdict(twins)
    print()
    print(textwrap.fill(_INTRODUCTION, 100))
    print()
    print(format_table(accuracy))
    print("\nTheir layers, by linear CKA (greater is more similar):\n")
    print(format_table(layers))
    print("\nLast representations of all models, by debiased CKA:\n")
    print(format_table(represented))
    print("\nShare of digits on which two models disagree:\n")
    print(format_table(disagreeing))
    seconds = time.perf_counter() - start
    print(f"\nReport with pictures: {path} ({seconds:.0f} s)")


def _fit_models(quick, verbose):
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X / 16, y, test_size=0.5, stratify=y, random_state=0
    )
    size = (0.2, 32, 16, 30) if quick else (1.0, 64, 32, 100)
    effort, wide, narrow, iterations = size
    models = {
        "logistic regression": LogisticRegression(max_iter=1000),
        "random forest": RandomForestClassifier(round(100 * effort), random_state=0),
        "gradient boosting": HistGradientBoostingClassifier(
            max_iter=round(25 * effort), max_leaf_nodes=8, random_state=0
        ),
        "MLP, seed 0": MLPClassifier((wide, narrow), max_iter=iterations),
        "MLP, seed 1": MLPClassifier((wide, narrow), max_iter=iterations),
    }
    models["MLP, seed 0"].set_params(random_state=0)
    models["MLP, seed 1"].set_params(random_state=1)
    with ProgressBar(len(models), "fitting", enabled=verbose > 0) as bar:
        for name, model in models.items():
            with warnings.catch_warnings():
                # the networks need not have converged to be compared
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(X_train, y_train)
            bar.step(name)
    return models, X_test, y_test


def _accuracies(models, X, y):
    scores = {name: model.score(X, y) for name, model in models.items()}
    table = pd.DataFrame({"model": list(scores), "accuracy": list(scores.values())})
    return table.set_index("model")


def _layer_matrix(first, second, X):
    measure = dict(all_measures())["CKA"]()
    layers = [
        {f"{name}, seed {seed}": R for name, R in extract_representations(m, X).items()}
        for seed, m in enumerate((first, second))
    ]
    return similarity_matrix(measure, *layers)


def _model_matrices(models, X):
    """Matrices of all models: what they represent, and what they answer."""
    measures = dict(all_measures())
    representations = {
        name: np.asarray(last_representation(model, X)[1], dtype=float)
        for name, model in models.items()
    }
    labels = {name: extract_outputs(m, X)["labels"] for name, m in models.items()}
    return (
        similarity_matrix(measures["CKA"](debias="rows"), representations),
        similarity_matrix(measures["Disagreement"](), labels, output="statistic"),
    )
