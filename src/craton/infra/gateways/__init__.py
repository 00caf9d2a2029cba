"""Several servers on one store: who lives, who leads, what they tell each other."""
