"""The nodes of the ROS package `gmps_robot`: they convert messages; all logic is in the library and the twin."""
