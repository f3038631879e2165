"""Print pip's constraints from pyproject.toml: ``python3 versions.py least|pinned``.

"least" are the least versions of all that users and tests need, "pinned" those that
allow one version only.
"""

import re
import sys
import tomllib
from pathlib import Path

# what builds the documentation, measures speed and brings other libraries' models
# promises no least versions
WITHOUT = {"doc", "lint", "dev", "benchmark", "clients"}


def requirements():
    """Pairs of a package and what is asked of its version."""
    text = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    lines = list(project["dependencies"])
    for extra, more in project["optional-dependencies"].items():
        if extra not in WITHOUT:
            lines += more
    return [re.fullmatch(r"([\w.-]+)([=>]=[\d.]+)", line) for line in lines]


if __name__ == "__main__":
    found = [match.groups() for match in requirements() if match]
    pinned = {name: version for name, version in found if version.startswith("==")}
    least = {name: version.replace(">=", "==") for name, version in found} | pinned
    chosen = {"least": least, "pinned": pinned}[sys.argv[1]]
    print("\n".join(name + version for name, version in chosen.items()))
