"""The method. Read in this order: advantages, inner (Eq. 3), imitation, outer (Eq. 2, Alg. 2), gmps (Alg. 1).

Pure functions on parameter dictionaries: no simulator, no robot, no clock, no global randomness. The simulator comes
in as a callable.
"""
