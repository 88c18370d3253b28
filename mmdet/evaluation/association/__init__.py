"""HOTA, IDF1 and MOTA."""
