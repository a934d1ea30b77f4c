"""Folders of tensors and JSON that are written once, sealed by hashes, and checked when read."""
