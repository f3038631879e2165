"""Files that a pass over the data goes on from."""

import json
import os
from pathlib import Path
from time import monotonic
from zipfile import BadZipFile

import numpy as np

from sksim.models._batches import digest


class Checkpoint:
    """A file with all that a pass has kept, and with a hash of what it has read.

    Parameters
    ----------
    path : path-like or None
        None writes nothing.
    seconds : float
        Time between two writings.
    settings : dict of str to str
        What must be the same when the pass goes on.
    """

    def __init__(self, path, seconds, settings):
        self.path = None if path is None else Path(path)
        self.seconds = seconds
        self.settings = settings
        self.n_batches = 0
        self._hash = b""
        self._written = monotonic()

    def load(self):
        """What the file holds, or None if there is none."""
        if self.path is None or not self.path.exists():
            return None
        try:
            # opened here, since numpy does not close what it can't read
            with (
                open(self.path, "rb") as opened,
                np.load(opened, allow_pickle=False) as file,
            ):
                state = dict(file)
            settings = json.loads(str(state.pop("checkpoint_settings")))
        except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
            raise ValueError(
                f"{str(self.path)!r} is no checkpoint of layer_similarity_matrix "
                f"({error}). Delete it, or pass another path."
            ) from error
        for name, value in self.settings.items():
            if settings.get(name) != value:
                raise ValueError(
                    f"The checkpoint {str(self.path)!r} was made with {name} "
                    f"{settings.get(name)}, and it is {value} now. Delete the "
                    "checkpoint to begin anew, or pass another path."
                )
        self.n_batches = int(state.pop("checkpoint_batches"))
        self._expected = state.pop("checkpoint_hash").tobytes()
        return state

    def skip(self, batches):
        """Batches that follow those of the file, which must be the same as then.

        Parameters
        ----------
        batches : iterator of (batch, count)
        """
        n_before = self.n_batches
        for number in range(n_before):
            batch, count = next(batches, (None, 0))
            if not count:
                raise ValueError(
                    f"data has {number} batches, but the checkpoint "
                    f"{str(self.path)!r} was made after {n_before}. Delete it to begin "
                    "anew."
                )
            self._hash = digest(self._hash, batch)
            yield count
        if n_before and self._hash != self._expected:
            raise ValueError(
                f"The first {n_before} batches are not those that the checkpoint "
                f"{str(self.path)!r} was made of: data are others, or come in another "
                "order, as from a DataLoader with shuffle=True. Give it a sampler with "
                "a fixed order, or delete the checkpoint to begin anew."
            )

    def add(self, batch):
        """A batch has been read."""
        if self.path is not None:
            self.n_batches += 1
            self._hash = digest(self._hash, batch)

    @property
    def is_due(self):
        """Whether it is time to write."""
        return self.path is not None and monotonic() - self._written >= self.seconds

    def write(self, state):
        """Write a file and put it in the place of the old one."""
        part = self.path.with_name(self.path.name + ".part")
        with open(part, "wb") as file:
            np.savez(
                file,
                checkpoint_settings=np.array(json.dumps(self.settings)),
                checkpoint_batches=np.array(self.n_batches),
                checkpoint_hash=np.frombuffer(self._hash, dtype=np.uint8),
                **state,
            )
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, self.path)
        self._written = monotonic()
