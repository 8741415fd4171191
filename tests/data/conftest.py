"""Stands here so that the folders below can import this folder's helpers (damage.py)."""
