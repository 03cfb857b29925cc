"""Faster convolutions: register tiles and Winograd's algorithm.  Everything works, only slower, without this
folder.
"""
