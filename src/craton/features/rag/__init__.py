"""Knowledge bases: what is kept of them, how documents become chunks, how chunks are found, and how answers cite them."""
