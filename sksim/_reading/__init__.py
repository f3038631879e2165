"""Arrays from files, read without ever running what is in them."""

from sksim._reading._files import holds_several, read_array

__all__ = ["holds_several", "read_array"]
