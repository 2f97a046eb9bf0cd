"""What is wrong with a network document."""


class NetworkError(ValueError):
    """A network document contradicts itself, or a model cannot be expressed as one."""
