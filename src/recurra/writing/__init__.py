"""How numbers are printed and files are written, once."""
