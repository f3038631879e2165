"""
Same answers, same reasons?
===========================

A random forest and gradient boosting that are equally accurate: do they look at the same
features? Their permutation importances say, repetition by repetition, what each relies on,
and several seeds of one model say how much agreement there is to be had.
"""

# %%
# Two models, three seeds of each
# -------------------------------
# Permutation importance is the accuracy that is lost when one feature is shuffled. Each
# repetition is a row of attributions, one column for each feature.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import train_test_split

from sksim.functional import ExplanationAgreement, GroupExplanationAgreement
from sksim.inference import similarity_test

wine = load_wine()
X, X_test, y, y_test = train_test_split(
    wine.data, wine.target, test_size=0.5, random_state=0
)


def importances(model):
    """Importances of the fitted model: 10 repetitions x 13 features."""
    result = permutation_importance(
        model.fit(X, y), X_test, y_test, n_repeats=10, random_state=0
    )
    return result.importances.T


forests = [
    importances(RandomForestClassifier(30, max_features=None, random_state=seed))
    for seed in range(3)
]
boosters = [
    importances(
        GradientBoostingClassifier(n_estimators=30, subsample=0.5, random_state=s)
    )
    for s in range(3)
]

# %%
# Agreement between the models, and within each
# ---------------------------------------------
# Which of the three most important features are the same, and which features are in the
# same order? The seeds of one model set the ceiling.

kinds = ["feature", "rank", "pairwise_rank", "rank_correlation"]
between, within = {}, {}
for kind in kinds:
    pairs = [
        ExplanationAgreement(kind, k=3).fit(forest, booster).similarity_
        for forest in forests
        for booster in boosters
    ]
    between[kind] = np.mean(pairs)
    within[kind] = [
        GroupExplanationAgreement(kind, k=3).fit(seeds).similarity_
        for seeds in (forests, boosters)
    ]
    print(f"{kind:>16}: {between[kind]:.2f} between,", *np.round(within[kind], 2))

# %%
# More than chance
# ----------------
# Features change places within the rows. The repetitions share one model and one test set:
# they are one group, so that all of them get one order, and the p-value does not take ten
# repetitions for ten models.

result = similarity_test(
    ExplanationAgreement("pairwise_rank"),
    forests[0],
    boosters[0],
    groups=np.zeros(10),
    n_permutations=499,
    random_state=0,
)
print(f"p = {result.pvalue:.3f}, by chance {result.null_mean:.2f}")

# %%
# The models rest on the same few features, above chance, and agree less with each other than
# two seeds of one of them do.

fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
places = np.arange(len(kinds))
ax.bar(places - 0.25, [within[k][0] for k in kinds], 0.25, label="forests")
ax.bar(places, [within[k][1] for k in kinds], 0.25, label="boosters")
ax.bar(places + 0.25, [between[k] for k in kinds], 0.25, label="between the two")
ax.set_xticks(places, [kind.replace("_", " ") for kind in kinds])
ax.set(ylim=(0, 1), ylabel="agreement")
ax.legend()
plt.show()
