"""The annotation json of the field: read, checked and written, once for training and evaluation."""
