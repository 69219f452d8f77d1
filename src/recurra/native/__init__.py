"""The compiled library: how it is found, what it is told, when it may be called."""
