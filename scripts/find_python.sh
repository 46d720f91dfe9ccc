#!/bin/sh
# Prints the Python that the project's virtual environment is made from: 3.11 or 3.12, or $PYTHON when it is set.
# Each candidate is run, because a name on PATH may be a shim without a Python behind it.
set -u
supported='import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 12)))'
for candidate in ${PYTHON:-python3.11 python3.12 python3 python}; do
    if "$candidate" -c "$supported" >/dev/null 2>&1; then
        command -v "$candidate"
        exit 0
    fi
done
if [ -n "${PYTHON:-}" ]; then
    echo "error: PYTHON=$PYTHON is not a working Python 3.11 or 3.12." >&2
else
    echo "error: no Python 3.11 or 3.12 on PATH (the ROS 2 wheels and torch $(uname -m) builds are for these two)." >&2
fi
echo "  Debian 12, Ubuntu 24.04:  sudo apt-get install -y python3 python3-venv python3-dev" >&2
echo "  another place:            make setup PYTHON=/path/to/python3.12" >&2
exit 1
