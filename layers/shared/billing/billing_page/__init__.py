"""The billing page: the one read over all areas, and the provisioning of an account."""
