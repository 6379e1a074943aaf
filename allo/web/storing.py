"""What a storage of files says when it cannot store one."""


class NotStored(Exception):
    """A file could not be stored now: the storage is away or full, or refuses this shop."""
