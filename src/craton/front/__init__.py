"""HTTP's edge of Craton: the server, its workers, and the way from a request to an operation and back."""
