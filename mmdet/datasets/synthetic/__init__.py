"""The generated demo set: its objects, its videos and its files."""
