"""From a name to a route: models, profiles, prompt routers, and what of the configuration they are compiled from."""
