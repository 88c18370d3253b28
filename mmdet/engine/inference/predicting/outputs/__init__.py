"""What a prediction writes: one class for every kind of file, and where the files of a source go."""
