"""Moments of all layers of two models, whose pairs are those of each pair by itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.arrays._joint_moments import JointMoments
from sksim.arrays._moments import moments_of


def layers_of(n_rows=40, offset=0.0, seed=0, widths=(3, 5)):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n_rows, 4))
    return {
        f"layer {d}": common @ rng.normal(size=(4, d))
        + rng.normal(size=(n_rows, d)) ** 3
        + offset
        for d in widths
    }


def some(layers, rows):
    return {name: layer[rows] for name, layer in layers.items()}


def pairs_of(a, b, moments):
    needs = {"gram", "cross", "quartic"}
    for i, X in enumerate(a.values()):
        for j, y in enumerate(b.values()):
            found, expected = moments.pair(i, j), moments_of(X, y, needs, xp=np)
            yield found, expected


def check(a, b, moments, rtol=1e-10):
    for found, expected in pairs_of(a, b, moments):
        units = {"x": expected.x.scale, "y": expected.y.scale}
        for name, unit in units.items():
            ours, theirs = getattr(found, name), getattr(expected, name)
            assert ours.n == theirs.n
            assert_allclose(ours.mean + ours.rest, theirs.mean + theirs.rest, rtol=rtol)
            assert_allclose(ours.squares, theirs.squares * unit**2, rtol=rtol)
            assert_allclose(ours.squared_norm, theirs.squared_norm * unit**2, rtol=rtol)
        for name in ("xx", "xy", "yy"):
            u, v = units[name[0]], units[name[1]]
            ours, theirs = getattr(found, name), getattr(expected, name)
            size = np.abs(theirs.matrix).max() * u * v
            assert_allclose(
                ours.matrix, theirs.matrix * u * v, rtol=rtol, atol=rtol * size
            )
            if ours.quartic is None:
                continue
            for of_rows, others, factor in (
                (ours.left, theirs.left, u * v**2),
                (ours.right, theirs.right, v * u**2),
                (ours.quartic, theirs.quartic, u**2 * v**2),
            ):
                others = others * factor
                atol = rtol * np.abs(others).max()
                assert_allclose(of_rows, others, rtol=rtol, atol=atol)


@pytest.mark.parametrize("quartic", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_batches_of_any_size(quartic, offset):
    a, b = layers_of(offset=offset), layers_of(seed=1, widths=(2, 4, 7))
    moments = JointMoments(quartic=quartic)
    for rows in (slice(7), slice(7, 8), slice(8, 40)):
        moments.update(some(a, rows), some(b, rows))
    assert (moments.n_samples, moments.n_batches) == (40, 3)
    check(a, b, moments)


def test_one_model_against_itself():
    a = layers_of()
    moments = JointMoments(quartic=True)
    for rows in (slice(15), slice(15, 40)):
        moments.update(some(a, rows))
    check(a, a, moments)
    assert len(moments.state()) < len(two_sided(a).state())


def two_sided(a):
    moments = JointMoments(quartic=True)
    moments.update(a, dict(a))
    return moments


@pytest.mark.parametrize("is_one_set", [False, True])
def test_merged_parts(is_one_set):
    a = layers_of(offset=3)
    b = a if is_one_set else layers_of(seed=1)
    parts = []
    for rows in (slice(9), slice(9, 40)):
        part, x = JointMoments(quartic=True), some(a, rows)
        part.update(x, x if is_one_set else some(b, rows))
        parts.append(JointMoments.from_state(part.state(), quartic=True))
    total = JointMoments(quartic=True).merge(parts[0]).merge(parts[1])
    check(a, b, total)
    total.merge(JointMoments(quartic=True))
    assert total.n_samples == 40
    with pytest.raises(ValueError, match="other parameters"):
        total.merge(JointMoments())
    other = JointMoments(quartic=True)
    wider = layers_of(widths=(4, 5))
    other.update(dict(zip(a, wider.values(), strict=True)), b)
    with pytest.raises(ValueError, match="other widths"):
        total.merge(other)


def test_widths_may_not_change():
    a = layers_of()
    moments = JointMoments()
    moments.update(a)
    with pytest.raises(ValueError, match="'layer 5' is 4 wide .* was 5 before"):
        moments.update(a | {"layer 5": a["layer 5"][:, :4]})
    with pytest.raises(ValueError, match="'layer 3' has values that are nan.*row 2 "):
        moments.update(
            a | {"layer 3": np.where(np.arange(40) == 2, np.nan, 1)[:, None]}
        )
