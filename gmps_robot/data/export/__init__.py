"""Data sets for other programs, written by us: robomimic's HDF5 and LeRobotDataset v3.0. Neither program is needed."""
