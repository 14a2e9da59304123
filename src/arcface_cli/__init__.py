"""Face recognition from a shell: photographs in, names out."""

__version__ = "0.1.0"
