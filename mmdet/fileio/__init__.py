"""The files of the field, read, checked and written: each format in one place."""
