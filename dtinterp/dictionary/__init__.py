"""Rows become sparse codes over features; nothing here sees the network that made the rows."""
