"""Where model processes run: the port, the local host that keeps them as children, and facts about processes."""
