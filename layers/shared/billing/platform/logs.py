"""The logger of a function, for code that is no handler: JSON lines, with the fields that the handler has added."""

from aws_lambda_powertools import Logger

logger = Logger()
