"""Parts of the Intera emulator: the robot's rules and body, and the process that runs them in real time."""
