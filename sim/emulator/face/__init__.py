"""The emulator's ROS 1 side. Runs under the system's Python, on the standard library, rospy and `sim.emulator.wire`."""
