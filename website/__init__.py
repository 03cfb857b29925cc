"""The site: lessons as they run, operators as they are written, in pages that open without a network.

    python -m website.build

README.md of this folder says how it is made, and how to add a translation or an interactive element.
"""
