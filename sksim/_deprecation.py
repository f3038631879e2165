"""Names and parameters under new names: the old ones work for a while, with a warning.

doc/contributing.rst shows both in use, doc/policy.rst says for how long.
"""

import functools
import inspect
import sys
import warnings


def renamed_parameters(names, *, since, until):
    """Let a function, or a constructor, take parameters by their old names too.

    The signature shows the new names only, so that ``get_params``, ``clone`` and the
    documentation know nothing of the old.

    Parameters
    ----------
    names : dict of str to str
        The new name by the old.
    since, until : str
        Versions: the first that has the new name, and the first without the old.

    Returns
    -------
    decorator : callable
    """

    def decorate(function):
        known = inspect.signature(function).parameters
        for old, new in names.items():
            if old in known or new not in known:
                raise ValueError(
                    f"{function.__qualname__} must have the parameter {new!r}, and no "
                    f"{old!r} any more."
                )

        @functools.wraps(function)
        def with_old_names(*args, **kwargs):
            for old, new in names.items():
                if old not in kwargs:
                    continue
                if new in kwargs:
                    raise TypeError(
                        f"{function.__qualname__} got both {new!r} and {old!r}, the "
                        "same under its old name."
                    )
                _warn(f"The parameter {old!r} is called {new!r}", since, until)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return with_old_names

    return decorate


def renamed_names(module, names, *, since, until, otherwise=None):
    """Make the ``__getattr__`` of a module that has names under their old ones too.

    Parameters
    ----------
    module : str
        The module's ``__name__``.
    names : dict of str to str
        The new name by the old.
    since, until : str
        Versions: the first that has the new name, and the first without the old.
    otherwise : callable, default=None
        The module's own ``__getattr__``, for all other names.

    Returns
    -------
    __getattr__ : callable
    """

    def __getattr__(name):
        if name in names:
            new = names[name]
            _warn(f"{module}.{name} is called {module}.{new}", since, until)
            return getattr(sys.modules[module], new)
        if otherwise is not None:
            return otherwise(name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return __getattr__


def _warn(what, since, until):
    # a FutureWarning is shown to users, a DeprecationWarning to authors of tests only
    warnings.warn(
        f"{what} since sksim {since}; the old name goes in {until}.",
        FutureWarning,
        stacklevel=3,  # whoever uses the old name
    )
