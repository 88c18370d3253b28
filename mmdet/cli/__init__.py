"""The command `memcnp`, a table of what it can do, and a module for each of that.

The scripts of the checkout (`train.py`, `test_video.py`, `tools/*.py`) call the same modules.
"""
