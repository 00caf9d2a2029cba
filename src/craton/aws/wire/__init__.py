"""AWS wire protocols driven by botocore's service models; knows no single service."""
