"""Names of layers, and patterns of them."""

from fnmatch import fnmatchcase


def names_matching(names, layers, model):
    """Names of the layers that are asked for, in the model's order.

    Parameters
    ----------
    names : iterable of str
    layers : None, str or list of str
        Names or patterns; None takes all.
    model : str
        What messages call the model.
    """
    names = list(names)
    if layers is None:
        return names
    chosen = set()
    for pattern in [layers] if isinstance(layers, str) else layers:
        matches = {n for n in names if n == pattern or fnmatchcase(n, pattern)}
        if not matches:
            raise ValueError(
                f"{model} has no layer {pattern!r}. Its layers are {', '.join(names)}."
            )
        chosen |= matches
    return [name for name in names if name in chosen]
