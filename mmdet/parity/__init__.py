"""Numbers recorded with the published release, compared with what this package computes."""
