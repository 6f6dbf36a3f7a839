"""The distribution's version, defined only here (hatchling reads it)."""

__version__ = "0.1.0"
