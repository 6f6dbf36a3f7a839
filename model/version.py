"""The distribution's version, the one place that holds it (hatchling reads it from here)."""

__version__ = "0.1.0"
