"""
Quick start
===========

Two models and some rows they have not seen: how similar are they, is it more than
chance, and where do they differ?
"""

# %%
# Two networks that differ in nothing but the seed of their weights.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=300, stratify=y, random_state=0
)
first, second = (
    MLPClassifier((64, 32), max_iter=300, random_state=seed).fit(X_train, y_train)
    for seed in (0, 1)
)
print(f"accuracy {first.score(X_test, y_test):.3f}, {second.score(X_test, y_test):.3f}")

# %%
# **One measure.** Extract a layer of both and compare. Every measure is an estimator:
# ``score_`` is greater for more similar models, for distances too.

from sksim.models import extract_representations
from sksim.rsm import CKA

R = extract_representations(first, X_test)["hidden_2"]
S = extract_representations(second, X_test)["hidden_2"]
print(f"CKA of the second hidden layers: {CKA().fit(R, S).score_:.3f}")

# %%
# **Is that more than chance?** Pair the rows at random and see. The null mean says what
# the score of two representations of these shapes is worth.

from sksim.inference import similarity_test
from sksim.plot import PermutationNullDisplay

result = similarity_test(CKA(), R, S, n_permutations=499, random_state=0)
print(f"p = {result.pvalue:.3f}, by chance {result.null_mean:.3f}")
PermutationNullDisplay.from_result(result).plot(name="CKA")

# %%
# **Many measures.** ``compare`` takes the models themselves: what they represent before
# their answer is compared by representational measures, what they answer by functional
# ones.

from sksim.pairwise import compare

table = compare(
    first,
    second,
    X_test,
    y_test,
    measures=[
        "CKA",
        "MeanCCA",
        "OrthogonalProcrustes",
        "Disagreement",
        "ErrorConsistency",
        "JensenShannonDivergence",
    ],
    random_state=0,
).to_frame()
table[
    [
        "measure",
        "compared",
        "value",
        "direction",
        "null_mean",
        "calibrated_score",
        "pvalue",
    ]
]

# %%
# The representations are far more alike than chance, and the answers agree on nearly
# all digits. Error consistency says more: also the *mistakes* of the two networks
# coincide more often than their accuracy alone would make them.
#
# **See both.** The second representation in the coordinates of the first, after the best
# rotation. Each line joins the two views of one digit.

from sksim.plot import RepresentationDisplay

RepresentationDisplay.from_representations(S, R, labels=y_test).plot(
    names=("seed 1, turned", "seed 0")
)

# %%
# **Keep it.** One self-contained HTML file with the table and its pictures:
#
# .. code-block:: python
#
#     from sksim.report import write_report
#
#     write_report(table, "report.html")
