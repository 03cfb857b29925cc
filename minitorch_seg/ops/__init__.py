"""The operators: one file an operator or a small family, formula first.

`functional.py` is the table of contents.
"""
