"""``python -m recurra.cli`` is the command ``recurra``."""

from .app import main

main()
