"""memcnp-vis: find, segment and follow every object through a video (MemCNP-VIS and its parts)."""
