"""Result files: write, read and check them, and pack them for an evaluation server."""
