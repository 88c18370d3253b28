"""Result files: written, read back, checked, and packed for a server."""
