"""Optional dependencies, imported where they are first needed."""

import importlib


def import_extra(module, *, extra, needed_by):
    """Import a module that belongs to an optional dependency group.

    Parameters
    ----------
    module : str
        Full name of the module.
    extra : str
        Dependency group that installs it.
    needed_by : str
        What the error message says needs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{needed_by} needs {module.split('.')[0]}, which is not installed: "
            f"pip install 'sksim[{extra}]'."
        ) from error
