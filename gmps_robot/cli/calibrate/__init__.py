"""gmps calibrate: from a printed board to a rig's calibration, one command per step."""
