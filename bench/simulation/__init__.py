"""What the simulation of `bench/scaling.py` is made of: traffic, replicas, gateways, fleets."""
