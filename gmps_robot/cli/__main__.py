"""`python -m gmps_robot.cli` is `gmps`."""

from gmps_robot.cli.main import main

raise SystemExit(main())
