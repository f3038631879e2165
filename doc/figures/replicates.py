"""Seeds of two kinds, and models against subjects."""

import matplotlib.pyplot as plt
import numpy as np

from sksim.plot import GroupSimilarityDisplay, ReplicatesDisplay
from sksim.rsm import CKA, RSA

rng = np.random.default_rng(0)
fig, axes = plt.subplots(1, 2, layout="constrained")
shared, own = rng.normal(size=(2, 60, 6))
seeds = 0.5 * rng.normal(size=(10, 60, 6))
Xs, ys = list(shared + seeds[:5]), list(shared + own + 1.4 * seeds[5:])
display = ReplicatesDisplay.from_representations(CKA(debias="rows"), Xs, ys)
display.plot(axes[0], name="CKA of ten seeds")
common = rng.normal(size=(40, 8))
subjects = list(common + 1.2 * rng.normal(size=(9, 40, 8)))
models = {
    "true": common,
    "half": common[:, :4],
    "noisy": common + rng.normal(size=common.shape),
    "other": rng.normal(size=(40, 8)),
}
display = GroupSimilarityDisplay.from_representations(
    RSA("euclidean"), models, subjects, random_state=0
)
display.plot(axes[1], name="RSA with nine subjects")
