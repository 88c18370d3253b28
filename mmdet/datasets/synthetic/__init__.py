"""The generated demo set: what it shows, how it is drawn, and its files."""
