"""
A model and eight subjects
==========================

Which of three models is nearest to the brain, and could any model be nearer? Eight
simulated subjects see the same 24 pictures in six runs. Since the recordings are made
here, the answer is known: how near the true model comes to them, and what is noise.
"""

# %%
# The recordings
# --------------
# All subjects have ten features of the pictures in common. Each mixes them into voxels of
# its own, adds what only this brain does, and every run adds noise that neighbouring
# voxels share. The first two pictures are the same picture shown twice.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_score

from sksim.alignment import LinearRegressionSimilarity
from sksim.inference import similarity_to_group
from sksim.plot import GroupSimilarityDisplay
from sksim.rsm import RSA, FeatureReweightedRSA, crossnobis_distances

n_subjects, n_pictures, n_voxels, n_runs, n_features = 8, 24, 80, 6, 10
rng = np.random.default_rng(0)
features = rng.normal(size=(n_pictures, n_features))
features[1] = features[0]
strength = np.repeat([1.5, 0.5], 5)
pictures = np.tile(np.arange(n_pictures), n_runs)
runs = np.repeat(np.arange(n_runs), n_pictures)
neighbours = 0.7 ** np.abs(np.subtract.outer(np.arange(n_voxels), np.arange(n_voxels)))
smooth = np.linalg.cholesky(neighbours)


def recorded(rng):
    """Responses of one subject's voxels, a row for each picture of each run."""
    mixing = rng.normal(size=(n_features, n_voxels)) / n_features**0.5
    own = 0.5 * rng.normal(size=(n_pictures, n_voxels))
    own[1] = own[0]
    noise = 2 * rng.normal(size=(len(runs), n_voxels)) @ smooth.T
    return ((features * strength) @ mixing + own)[pictures] + noise


recordings = {f"subject {s + 1}": recorded(rng) for s in range(n_subjects)}

# %%
# Distances without the noise
# ---------------------------
# The distance of two mean patterns is too large by the variance of their noise, and so the
# picture that was shown twice is far from itself. Cross-validated distances multiply the
# differences of two runs, whose noise is independent: their mean is the true distance, 0
# for the same picture, and some are negative.

plain, subjects = {}, {}
for name, X in recordings.items():
    means = X.reshape(n_runs, n_pictures, n_voxels).mean(axis=0)
    plain[name] = pdist(means, "sqeuclidean") / n_voxels
    subjects[name] = crossnobis_distances(
        X, pictures, runs, noise_precision=np.linalg.inv(neighbours)
    )
same = pd.DataFrame(
    {
        "of mean patterns": [distances[0] for distances in plain.values()],
        "cross-validated": [distances[0] for distances in subjects.values()],
    },
    index=list(recordings),
)
print("The same picture shown twice:")
print(same.round(2).T.to_string())

# %%
# Models beside the ceilings
# --------------------------
# The first model has the features at the strength that brains give them, the second all at
# the same strength, the third other features. Dissimilarities that share a picture share its
# noise, so they are compared whitened (``"corr_cov"``). No model can be nearer to these
# subjects than the ceilings say: the lower one is each subject against the mean of the
# others, the upper one against the mean of all.

models = {
    "features as in brains": features * strength,
    "features, equally strong": features,
    "other features": rng.normal(size=features.shape),
}
distances = {name: pdist(model, "sqeuclidean") for name, model in models.items()}
whitened = RSA(metric="precomputed", comparison="corr_cov")
group = similarity_to_group(whitened, distances, subjects)
print(group.models.round(3).to_string())
print(group.pairs.round(3).to_string())
print(f"ceilings {group.ceiling.lower:.2f} to {group.ceiling.upper:.2f}")
GroupSimilarityDisplay.from_result(group).plot(name="whitened correlation")

# %%
# The true model reaches the ceilings: what is missing to 1 is noise and what each brain has
# for itself, not a fault of the model. The second falls short of them, and the pairs say so
# with p-values over subjects.
#
# Features at their right strength
# --------------------------------
# The second model has all that is needed, at the wrong strengths. Weights of its features
# that are fitted to some pictures can be held against the others; fitted and scored on the
# same pictures they would only have to be many.

folds = list(KFold(4, shuffle=True, random_state=0).split(features))
reweighted = FeatureReweightedRSA(y_metric="precomputed", ridge=0.3)
held_out = {"as it is": [], "reweighted": [], "reweighted, same pictures": []}
for values in subjects.values():
    matrix = squareform(values)
    for train, test in folds:
        parts = [squareform(matrix[np.ix_(rows, rows)]) for rows in (train, test)]
        reweighted.fit(features[train], parts[0])
        held_out["reweighted"].append(reweighted.score(features[test], parts[1]))
        held_out["reweighted, same pictures"].append(reweighted.score_)
        as_it_is = RSA("precomputed", "pearson")
        as_it_is.fit(pdist(features[test], "sqeuclidean"), parts[1])
        held_out["as it is"].append(as_it_is.score_)
for name, scores in held_out.items():
    print(f"{name:26s} {np.mean(scores):.2f}")

# %%
# Voxels that can be predicted
# ----------------------------
# Another question: does the model hold what each voxel responds to? A ridge regression
# predicts the voxels of pictures that it has not seen, and the median of the correlations is
# the model's predictivity. Responses repeat themselves only so far: the correlation of
# two halves of the runs, corrected for their length, says how well they could be predicted
# at the best.

predictivity = LinearRegressionSimilarity(
    regressor=RidgeCV(np.logspace(-2, 3, 6)), aggregate="median", correlation=True
)
rows = []
for X in recordings.values():
    by_run = X.reshape(n_runs, n_pictures, n_voxels)
    halves = [by_run[start::2].mean(axis=0) for start in (0, 1)]
    halves = [half - half.mean(axis=0) for half in halves]
    norms = [np.linalg.norm(half, axis=0) for half in halves]
    r = np.sum(halves[0] * halves[1], axis=0) / norms[0] / norms[1]
    reliable = np.sqrt(np.maximum(2 * r / (1 + r), 0))
    scores = {"reliability": np.median(reliable)}
    for name, model in models.items():
        cv = KFold(6, shuffle=True, random_state=0)
        scores[name] = cross_val_score(
            predictivity, model, by_run.mean(axis=0), cv=cv
        ).mean()
    rows.append(scores)
table = pd.DataFrame(rows, index=list(recordings))
print(table.mean().round(2).to_string())

# %%
# A linear map finds the strengths of the features by itself, and only the penalty asks for
# them: both models with the right features predict nearly alike, where their distances are
# far apart. Which of the two questions is asked decides how much better a model is.

plt.show()
