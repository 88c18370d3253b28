"""The annotation json: read, checked and written in one place, for training and evaluation."""
