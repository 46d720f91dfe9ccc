"""Peers of the method, in the same code and on the same samples."""
