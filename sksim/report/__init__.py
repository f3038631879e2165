"""Results as a page that anyone can open: one HTML file, nothing to install."""

from sksim.report._report import write_report

__all__ = ["write_report"]
