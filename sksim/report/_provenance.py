"""What made the numbers: call, seed, inputs, versions, BLAS."""

import platform

import joblib
import numpy as np
import pandas as pd
import scipy
import sklearn

from sksim._sklearn_compat import get_threadpool_controller


def versions():
    """Names and versions of the packages that numbers depend on."""
    from sksim import __version__

    found = {
        "sksim": __version__,
        "Python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "pandas": pd.__version__,
        "joblib": joblib.__version__,
    }
    return [f"{name} {version}" for name, version in found.items()]


def blas():
    """Each BLAS that is loaded, with its version, kind of processor and threads."""
    found = [
        library
        for library in get_threadpool_controller().info()
        if library["user_api"] == "blas"
    ]
    texts = [
        " ".join(
            [
                library["internal_api"],
                str(library["version"] or "of an unknown version"),
                f"({library.get('architecture') or 'any processor'},",
                f"threads: {library['num_threads']})",
            ]
        )
        for library in found
    ]
    return list(dict.fromkeys(texts)) or ["none was found"]


def provenance_of(result, *, call=None):
    """What it takes to get a comparison again.

    Parameters
    ----------
    result : ModelComparison
    call : str, default=None
        In place of the call that the comparison knows.

    Returns
    -------
    facts : list of pairs of str
        Each a name and what there is to say, without the call.
    """
    settings = result.table.attrs
    n_permutations = settings["n_permutations"]
    hashes = settings.get("hashes") or {}
    facts = {
        "seed": f"random_state={settings['random_state']}",
        "permutations": f"{n_permutations}; the smallest p-value that they can give is "
        f"{1 / (n_permutations + 1):.2g}"
        if n_permutations
        else "none, and so no p-values but exact ones",
        "rows": str(result.n_samples),
        "inputs, sha256": ", ".join(f"{name} {code}" for name, code in hashes.items())
        or "none is an array",
        "versions": ", ".join(versions()),
        "system": f"{platform.system()} {platform.machine()}",
        "BLAS": "; ".join(blas()),
    }
    if settings.get("n_dropped"):
        facts["rows"] += f", and {settings['n_dropped']} fell out that are not in both"
    return list(facts.items())
