"""A database backend whose PostgreSQL starts by itself when nothing else is configured (docs/adr/0002).

`server` starts and adopts it, `keeper` stops it after its last user, `base` is what the ENGINE setting names.
`programs` runs what the wheel brings, `place` finds room where PostgreSQL may not enter the checkout.
"""
