"""Compare numbers recorded with published releases with what this package computes."""
