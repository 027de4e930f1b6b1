"""Tries a whole deployment, on this machine or in an AWS account: `python -m scripts.smoke`."""
