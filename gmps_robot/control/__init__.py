"""What the twin and the robot share: limits, guard, kinematics, the arm contract, and the adaptation session.

Imports types, tasks, errors, config, rig, families, the policy and the inner loop; never a simulator or ROS. Start with
`arm.py` (the contract), then `guard.py` (what no command gets past) and `session.py` (goal to result).
"""
