"""Readers of the layouts in which others give their data; one module a layout."""
