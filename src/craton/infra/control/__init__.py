"""The supervisor's control channel: one Unix socket per home, framed messages, a server and two clients."""
