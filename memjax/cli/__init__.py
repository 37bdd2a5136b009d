"""The command line, one file a command: each parses, calls one function of the package, and prints what it returns."""
