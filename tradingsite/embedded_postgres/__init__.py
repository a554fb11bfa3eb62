"""A database backend that starts its own PostgreSQL when no server is configured (docs/adr/0002).

`base` is the Django backend, `server` starts the server or finds the one that runs, `keeper` stops it after
its last user. `programs` runs PostgreSQL's programs, and `place` finds a data folder that they may enter.
"""
