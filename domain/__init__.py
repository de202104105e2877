"""The rules of booking as plain Python: no Flask, no SQL, no clock, no I/O."""
