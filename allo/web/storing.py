class NotStored(Exception):
    """A file could not be stored now: the storage is away, or refuses this shop."""
