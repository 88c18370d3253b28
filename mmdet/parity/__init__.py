"""Compare numbers recorded with the published release with what this package computes."""
