"""
Two transformers, layer by layer, with padding
==============================================

Sentences have different lengths, and what stands at the padding is no part of them. With
the mask that the models get, a layer's tokens are averaged over the words alone; without
it, layers seem alike because both models see where a sentence ends.
"""

# %%
# Two transformers and sentences with padding
# -------------------------------------------
# The models learn which of three words is the most frequent in a sentence of up to 32
# words. They differ in their seeds. (This example needs ``pip install sksim[torch]``;
# models of the package transformers are compared in the same way.)

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)
LENGTH, WORDS = 32, 20


def sentences(n_rows, seed):
    """Words, a mask that is 1 where there is one, and the most frequent of three."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(1, WORDS, (n_rows, LENGTH), generator=generator)
    lengths = torch.randint(6, LENGTH + 1, (n_rows, 1), generator=generator)
    mask = (torch.arange(LENGTH) < lengths).long()
    words = words * mask
    counts = torch.stack([(words == word).sum(dim=1) for word in (1, 2, 3)], dim=1)
    return {"words": words, "attention_mask": mask}, counts.argmax(dim=1)


class Transformer(nn.Module):
    """Three encoder layers of 32 features, and a head on the mean of the words."""

    def __init__(self, seed):
        torch.manual_seed(seed)
        super().__init__()
        self.words = nn.Embedding(WORDS, 32)
        self.places = nn.Embedding(LENGTH, 32)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
            for _ in range(3)
        )
        self.head = nn.Linear(32, 3)

    def forward(self, words, attention_mask):
        x = self.words(words) + self.places(torch.arange(words.shape[1]))
        for block in self.blocks:
            x = block(x, src_key_padding_mask=attention_mask == 0)
        weights = attention_mask / attention_mask.sum(dim=1, keepdim=True)
        return self.head((x * weights[:, :, None]).sum(dim=1))


def trained(seed):
    """A transformer after 150 steps."""
    model = Transformer(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(150):
        batch, truth = sentences(64, seed=1000 * seed + step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(**batch), truth).backward()
        optimizer.step()
    return model.eval()


a, b = trained(1), trained(2)
data, truth = sentences(600, seed=0)
for name, model in {"a": a, "b": b}.items():
    with torch.no_grad():
        right = model(**data).argmax(dim=1) == truth
    print(f"model {name}: {right.float().mean():.2f} of the sentences are right")

# %%
# The mean of the words
# ---------------------
# Data that are a mapping are the keywords of ``forward``. Its key ``attention_mask`` says
# which tokens count; where the mask goes by another name, or is made of the batch, it is
# passed as ``mask=``, a function of the batch.

from sksim.pairwise import layer_similarity_matrix
from sksim.rsm import CKA

wanted = ["words", "blocks.*.self_attn", "blocks.*.linear2", "blocks.?", "head"]
measure = CKA(debias="rows")
result = layer_similarity_matrix(measure, a, b, data, layers=wanted, reduce="mean")
print(result.scores.round(2).to_string())

# %%
# What stands at the padding does not matter
# ------------------------------------------
# With other words at the padding, which the models do not attend to, all numbers stay.

noise = torch.randint(1, WORDS, data["words"].shape)
mask = data["attention_mask"]
other = {"words": torch.where(mask == 1, data["words"], noise), "attention_mask": mask}
again = layer_similarity_matrix(measure, a, b, other, layers=wanted, reduce="mean")
change = np.abs(again.scores - result.scores).to_numpy().max()
print(f"largest change: {change:.0e}")

# %%
# Without the mask
# ----------------
# Averaged over all places, a short sentence is mostly padding, and its length is in every
# layer of both models. Two embeddings that were drawn apart and have little in common
# (.61) then seem to be one (.98). Behind the attention less changes here, because the
# padding, too, looks at the words. ``reduce="flatten"`` has a trap of the same kind: masked
# tokens are 0 on both sides, and say how long a sentence is.

unmasked = layer_similarity_matrix(
    measure,
    a,
    b,
    data,
    layers=wanted,
    reduce="mean",
    mask=lambda batch: torch.ones_like(batch["attention_mask"]),
)
shared = [name for name in result.scores.index if name in result.scores.columns]
table = {
    title: np.diag(found.scores.loc[shared, shared])
    for title, found in {"masked": result, "not masked": unmasked}.items()
}
for place, name in enumerate(shared):
    values = "  ".join(
        f"{title} {column[place]:.2f}" for title, column in table.items()
    )
    print(f"{name:20s} {values}")

fig, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for ax, (title, found) in zip(
    axes, {"words alone": result, "padding too": unmasked}.items(), strict=True
):
    found.plot(ax=ax, title=title)
plt.show()
