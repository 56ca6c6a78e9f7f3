"""What the pytest plugin does once it is asked for.

It starts the binary, reads what the binary saved, and has the binary judge it. No
trace is diagnosed here.
"""
