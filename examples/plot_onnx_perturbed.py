"""
A network that others have trained, and a damaged copy
======================================================

Weights are rounded, pruned and fine-tuned. What such a change does to a network shows
in its answers, and where it happens in its layers. Here a network that comes trained, in ONNX's
format, is compared with copies whose weights are disturbed more and more.
"""

# %%
# The network, and what it looks at
# ---------------------------------
# `magika <https://pypi.org/project/magika/>`_ tells the type of a file by its first and its
# last 1024 bytes: of 214 types, with weights that are in its package. (This example needs
# ``pip install "sksim[onnx]" magika``.) The files are those that Python came with.

import sysconfig
import tempfile
from pathlib import Path

import magika
import matplotlib.pyplot as plt
import numpy as np
import onnx

from sksim import CKA, compare, extract_representations

path = next(Path(magika.__file__).parent.glob("models/*/model.onnx"))
suffixes = [".py", ".pyc", ".so", ".json", ".csv", ".h", ".html", ".js", ".css", ".txt"]


def first_files(suffix, n_files=4):
    """The first files of a kind among the installed packages, by name."""
    folder = Path(sysconfig.get_paths()["purelib"])
    found = sorted(p for p in folder.rglob(f"*{suffix}") if p.stat().st_size > 100)
    return found[:: max(1, len(found) // n_files)][:n_files]


def as_bytes(file, n_bytes=1024, padding=256):
    """First and last bytes, without white space around them, filled up."""
    content = file.read_bytes()
    first = list(content[:4096].lstrip()[:n_bytes])
    last = list(content[-4096:].rstrip()[-n_bytes:])
    first += [padding] * (n_bytes - len(first))
    return first + [padding] * (n_bytes - len(last)) + last


files = [file for suffix in suffixes for file in first_files(suffix)]
X = np.array([as_bytes(file) for file in files], dtype=np.int32)
print(f"{len(X)} files of {len({file.suffix for file in files})} kinds")

# %%
# Copies with disturbed weights
# -----------------------------
# To each matrix of weights noise is added, in units of the standard deviation of its
# entries.


def disturbed(noise, seed=0):
    """The network with noise on its weights, as the path of another file."""
    rng = np.random.default_rng(seed)
    network = onnx.load(path)
    for weights in network.graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if values.ndim > 1 and values.size > 1000:
            changed = values + noise * values.std() * rng.normal(size=values.shape)
            changed = changed.astype(values.dtype)
            weights.CopyFrom(onnx.numpy_helper.from_array(changed, weights.name))
    copy = folder / f"disturbed_{noise}.onnx"
    onnx.save(network, copy)
    return copy


folder = Path(tempfile.mkdtemp())
amounts = [0.1, 0.3, 1.0]
copies = {noise: disturbed(noise) for noise in amounts}

# %%
# Layer by layer
# --------------
# The values between the nodes of the graph are its layers. Those that matter are few:
# the embedding of the bytes, the same after a normalisation, the convolution, the features
# that its largest values over the file make, and the scores. Of maps over positions the
# mean is compared.

names = {
    "embedding": "*/MagikaV2/Dense_0/AddV2:0",
    "normalised": "*/MagikaV2/LayerNorm_0/AddV2_1:0",
    "convolution": "*/MagikaV2/Conv_0/AddV2:0",
    "features": "*/MagikaV2/LayerNorm_1/AddV2_1:0",
    "scores": "*/MagikaV2/Dense_1/AddV2:0",
}


def layers_of(network):
    """Mean over positions of the layers above."""
    layers = extract_representations(network, X, list(names.values()), batch_size=20)
    found = dict(zip(names, layers.values(), strict=True))
    for name in ("embedding", "normalised"):
        found[name] = found[name].mean(axis=1)
    return {**found, "convolution": found["convolution"].mean(axis=2)}


original = layers_of(path)
others = {noise: layers_of(copy) for noise, copy in copies.items()}
measure = CKA(debias="rows")
scores = {
    noise: [measure.fit(original[name], layers[name]).score_ for name in names]
    for noise, layers in others.items()
}

# %%
# What the answers say
# --------------------
# The graph's output is called ``target_label``: what it holds, it doesn't say. It is rows
# of probabilities, and so we say it.

measures = ["Disagreement", "JensenShannonDivergence", "RankCorrelation"]
options = {"outputs": "probabilities", "n_permutations": 0, "confidence_level": None}
tables = {
    noise: compare(path, copy, X, measures=measures, **options).to_frame()
    for noise, copy in copies.items()
}
for noise, table in tables.items():
    print(f"noise {noise}")
    print(table[["measure", "value", "direction"]].round(3).to_string(index=False))

# %%
# Layers and answers together
# ---------------------------

divergence = [table["value"][1] for table in tables.values()]
figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.4), width_ratios=[2, 1], layout="constrained"
)
for noise, values in scores.items():
    left.plot(list(names), values, marker="o", label=f"noise {noise}")
left.set(ylabel="debiased CKA with the original", ylim=(None, 1.02))
left.tick_params(axis="x", labelrotation=20)
left.legend()
right.plot([str(noise) for noise in amounts], divergence, marker="o", color="k")
right.set(xlabel="noise", ylabel="divergence of answers", ylim=(0, None))
plt.show()

# %%
# Noise of a third of the weights' spread changes few answers, and each layer a little.
# Noise as large as the weights changes most answers. The layers say where: up to the
# convolution they still are much like those of the original, and what is lost is lost in
# the features, whose largest values over the file single out what noise has made.
