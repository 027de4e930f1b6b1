"""The billing page, which reads several areas, and the provisioning of an account, which writes all of them."""
