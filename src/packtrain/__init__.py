"""packtrain carries a training set that is too big for the network to the machines that can train on it."""

__version__ = "0.1.0"
