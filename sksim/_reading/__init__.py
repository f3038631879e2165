"""Arrays from files, read without ever running what is in them."""

from sksim._reading._files import read_array

__all__ = ["read_array"]
