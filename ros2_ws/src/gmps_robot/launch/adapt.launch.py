"""`ros2 launch gmps_robot adapt.launch.py`: adapt the policy to a new task. The stack itself is in `stack.py`."""

import os

from gmps_robot_nodes import stack
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; `start` makes the nodes once their values are known."""
    share = FindPackageShare("gmps_robot")
    profile = os.environ.get(
        "FASTRTPS_DEFAULT_PROFILES_FILE", PathJoinSubstitution([share, "config", "fastdds.xml"])
    )
    reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return LaunchDescription(
        [
            SetEnvironmentVariable("FASTRTPS_DEFAULT_PROFILES_FILE", profile),
            SetEnvironmentVariable("ROS_AUTOMATIC_DISCOVERY_RANGE", reach),
            *(
                DeclareLaunchArgument(
                    argument.name,
                    default_value=argument.default,
                    description=argument.description,
                    choices=list(argument.choices) or None,
                )
                for argument in stack.ARGUMENTS
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context):
    """Return one Node per node that runs; the last to work ends the launch, and so does any needed one that dies."""
    stack.check_names(context.argv)
    values = {a.name: LaunchConfiguration(a.name).perform(context) for a in stack.ARGUMENTS}
    parameters_file = PathJoinSubstitution([FindPackageShare("gmps_robot"), "config", "stack.yaml"])
    return [
        Node(
            package="gmps_robot",
            executable=node.name,
            name=node.name,
            parameters=[parameters_file, {k: ParameterValue(v, value_type=type(v)) for k, v in parameters.items()}],
            remappings=list(node.remappings),
            output="screen",
            emulate_tty=True,
            on_exit=[
                LogInfo(msg=f"{node.name} has ended"),
                *([] if node.spare else [EmitEvent(event=Shutdown(reason=f"{node.name} has ended"))]),
            ],
        )
        for node, parameters in ((s.node, s.parameters) for s in stack.resolve(values, os.environ))
    ]
