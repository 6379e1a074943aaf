#!/usr/bin/env python
"""Django's command line for Allo; finds the private services of a running `make up` by itself."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")
    execute_from_command_line(sys.argv)
