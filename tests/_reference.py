"""Values of the original implementations."""

import json
from functools import cache
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"


@cache
def reference_values(name):
    """The nested dict of values in data/NAME.json."""
    return json.loads((DATA / f"{name}.json").read_text())


@cache
def reference_arrays(name):
    """The arrays in data/NAME.npz."""
    with np.load(DATA / f"{name}.npz") as arrays:
        return dict(arrays)


def reference_cases(key):
    """(data set, direction, X, Y, value) for each value of one representational key."""
    arrays = reference_arrays("representational")
    for name, values in reference_values("representational").items():
        for direction in ("XY", "YX"):
            if direction in values.get(key, {}):
                pair = arrays[f"{name}__X"], arrays[f"{name}__Y"]
                first, second = pair if direction == "XY" else pair[::-1]
                yield name, direction, first, second, values[key][direction]


def newer_cases(key, file="newer_measures"):
    """(case, its arrays by name, its values) of one of the newer measures."""
    arrays = reference_arrays(file)
    for case, values in reference_values(file)[key].items():
        start = f"{key}/{case}/"
        named = {
            k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)
        }
        yield case, named, values
