"""
A student that represents what its teacher does
===============================================

A small network learns to tell handwritten digits apart from few labels. A loss of
similarity makes it represent the images as a trained teacher does, which needs no labels:
:class:`sksim.torch.SimilarityLoss` turns any measure that differentiates into a module of
PyTorch. It does not ask for equal widths, as a mean squared error of the two layers would.
"""

# %%
# The teacher has 64 hidden units and many labels; the student 16 units and 60 labels.

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from sksim.rsm import CKA
from sksim.torch import SimilarityLoss

torch.set_num_threads(1)
X, target = load_digits(return_X_y=True)
X, target = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(target)
rows, test_rows = map(
    torch.tensor, train_test_split(range(len(X)), test_size=0.4, random_state=0)
)
labelled = rows[:60]


def make_network(width, seed):
    torch.manual_seed(seed)
    hidden = nn.Sequential(nn.Linear(64, width), nn.ReLU())
    return hidden, nn.Linear(width, 10)


def accuracy(hidden, head):
    with torch.no_grad():
        return (
            (head(hidden(X[test_rows])).argmax(1) == target[test_rows]).float().mean()
        )


def train(hidden, head, labelled, extra=None, n_steps=300):
    parameters = [*hidden.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    generator = torch.Generator().manual_seed(0)
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(head(hidden(X[labelled])), target[labelled])
        if extra is not None:
            batch = rows[torch.randperm(len(rows), generator=generator)[:256]]
            loss = loss + extra(hidden, X[batch])
        loss.backward()
        optimizer.step()


teacher, teacher_head = make_network(64, seed=0)
train(teacher, teacher_head, rows)

# %%
# The student with and without the loss. Batches are compared by debiased CKA, which is
# right for batches of any size. The teacher's side is detached: it stays as it is.

similarity = SimilarityLoss(CKA(debias="rows"))


def as_the_teacher(hidden, batch):
    return similarity(hidden(batch), teacher(batch).detach())


found = {"teacher": (1.0, accuracy(teacher, teacher_head))}
students = {"labels alone": None, "labels and teacher": as_the_teacher}
for name, extra in students.items():
    student, head = make_network(16, seed=1)
    train(student, head, labelled, extra)
    with torch.no_grad():
        value = 1 - similarity(student(X[test_rows]), teacher(X[test_rows]))
    found[name] = float(value), accuracy(student, head)

for name, (value, correct) in found.items():
    print(
        f"{name:20s} CKA with the teacher {value:.2f}, right on {correct:.3f} of tests"
    )

# %%
# Sixteen units are enough to be as similar as can be. More is right on new images, too:
# what the teacher has learnt from many labels is in how its layer arranges images, and
# that is what the student is shown.

import matplotlib.pyplot as plt

_, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
titles = "CKA with the teacher", "Test accuracy"
for i, (ax, title) in enumerate(zip(axes, titles, strict=True)):
    ax.barh(list(found), [float(pair[i]) for pair in found.values()])
    ax.set(title=title, xlim=(0, 1))
    ax.invert_yaxis()
plt.show()
