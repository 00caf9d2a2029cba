"""The functions' host: a process that keeps execution environments and gives them invocations."""
