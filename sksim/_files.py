"""Arrays from files, read without ever running what is in them."""

from sksim._reading import read_array

__all__ = ["read_array"]
