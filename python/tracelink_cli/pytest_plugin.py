"""The pytest plugin. It does nothing unless it is asked for."""
