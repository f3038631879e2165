"""Run a command on a machine that has only itself: no network but the loopback.

For use in a network namespace of its own, where the loopback starts down::

    unshare --net python3 .ci/offline.py COMMAND [ARGUMENT ...]
"""

import fcntl
import os
import socket
import struct
import sys

SET_FLAGS, UP = 0x8914, 0x1  # SIOCSIFFLAGS and IFF_UP, see netdevice(7)

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", UP))
os.execvp(sys.argv[1], sys.argv[1:])
