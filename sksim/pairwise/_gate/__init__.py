"""May a new model replace the old one: limits that must be shown to hold."""

from sksim.pairwise._gate._gate import release_gate
from sksim.pairwise._gate._result import ReleaseGateResult

__all__ = ["ReleaseGateResult", "release_gate"]
