"""Nothing is fetched: sksim works where there is no network."""

import os
import subprocess
import sys
import textwrap

import pytest

NO_NETWORK = """
    import sys

    def refuse(event, arguments):
        if event.startswith("socket."):
            raise AssertionError(f"a network is asked for: {event} {arguments}")

    sys.addaudithook(refuse)
"""
IMPORTS = """
    import importlib, pkgutil, sksim

    for module in pkgutil.walk_packages(sksim.__path__, "sksim."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""
FITS = """
    import numpy as np
    from sksim.inference import similarity_test
    from sksim.pairwise import compare
    from sksim.report import write_report
    from sksim.rsm import CKA

    X, y = np.random.default_rng(0).normal(size=(2, 30, 4))
    similarity_test(CKA(), X, y, n_permutations=9, random_state=0)
    table = compare(X, y, n_permutations=0)
    write_report(table, "report.html")
"""


def run_without_network(code, folder):
    code = textwrap.dedent(NO_NETWORK) + textwrap.dedent(code)
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("code", [IMPORTS, FITS], ids=["imports", "fits"])
def test_works_without_a_network(code, tmp_path):
    done = run_without_network(code, tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_network_would_be_noticed(tmp_path):
    code = 'import urllib.request\nurllib.request.urlopen("http://example.invalid")'
    assert "a network is asked for" in run_without_network(code, tmp_path).stderr
