"""Replicas on the nodes of a Ray cluster: the agent that places them, the actor and the keeper at each."""
