"""memcnp-vis: find, segment and follow every object through a video (MemCNP-VIS and its parts)."""

__version__ = "0.1.0"
