"""The version, which all parts may import."""

__version__ = "0.1.0"
