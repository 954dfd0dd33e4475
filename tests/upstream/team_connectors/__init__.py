"""Connectors and sensors as a team writes them for itself, in Python, with nothing but flytekit.

    PYTHONPATH=tests/upstream TEAM_JOBS=/tmp/jobs pyflyte serve connector --modules team_connectors

Their backend is a folder, named by TEAM_JOBS: see jobs.py.
"""

from . import broken, echo, job  # noqa: F401  each registers its connectors
