"""AWS's list prices in us-east-1, in US dollars, as of November 2026, without any free allowance and without tax.

Each price names AWS's page of it. They were copied by hand: AWS's price list needs an account
(`aws pricing get-products`). Change them here, and `make aws-limits` writes the tables of docs/deploy.md again.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

AS_OF = "November 2026"
REGION = "us-east-1"

MILAN = Decimal("0.0000195172") / Decimal("0.0000166667")
"""How much more Lambda's x86 second costs in eu-south-1 than in us-east-1 (its price list by region). The other
prices of eu-south-1 are not listed here: a figure for it is one of us-east-1 times this, an estimate."""

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """A price in dollars for so many units."""

    dollars: str
    units: int
    unit: str
    source: str

    def of(self, count: float | Decimal) -> Decimal:
        """What so many single units cost."""
        return Decimal(self.dollars) * Decimal(count) / self.units


LAMBDA_REQUEST = Price("0.20", MILLION, "invocations", "https://aws.amazon.com/lambda/pricing/")
LAMBDA_SECOND = Price("0.0000133334", 1, "GB-seconds on arm64", "https://aws.amazon.com/lambda/pricing/")
API_REQUEST = Price("3.50", MILLION, "requests of a REST API", "https://aws.amazon.com/api-gateway/pricing/")
WRITE_UNIT = Price("0.625", MILLION, "write request units", "https://aws.amazon.com/dynamodb/pricing/on-demand/")
READ_UNIT = Price("0.125", MILLION, "read request units", "https://aws.amazon.com/dynamodb/pricing/on-demand/")
TABLE_STORAGE = Price("0.45", 1, "GB-months, 0.25 with 0.20 of its backup", "https://aws.amazon.com/dynamodb/pricing/")
QUEUE_REQUEST = Price("0.40", MILLION, "requests", "https://aws.amazon.com/sqs/pricing/")
EVENT = Price("1.00", MILLION, "events", "https://aws.amazon.com/eventbridge/pricing/")
SCHEDULE = Price("1.00", MILLION, "invocations", "https://aws.amazon.com/eventbridge/pricing/")
MAIL = Price("0.10", 1000, "mails", "https://aws.amazon.com/ses/pricing/")
MAIL_ATTACHMENT = Price("0.12", 1, "GB of attachments", "https://aws.amazon.com/ses/pricing/")
FILE_WRITE = Price("0.005", 1000, "PUT requests", "https://aws.amazon.com/s3/pricing/")
FILE_STORAGE = Price("0.023", 1, "GB-months", "https://aws.amazon.com/s3/pricing/")
SECRET = Price("0.40", 1, "secrets a month", "https://aws.amazon.com/secrets-manager/pricing/")
SECRET_READ = Price("0.05", 10_000, "calls", "https://aws.amazon.com/secrets-manager/pricing/")
ALARM = Price("0.10", 1, "metrics of alarms a month", "https://aws.amazon.com/cloudwatch/pricing/")
LOG = Price("0.53", 1, "GB of logs, 0.50 with 0.03 for their storage", "https://aws.amazon.com/cloudwatch/pricing/")
MACHINE_TOKEN = Price("2.25", 1000, "tokens of machines", "https://aws.amazon.com/cognito/pricing/")
PERSON = Price("0.015", 1, "people a month who log in, above 10,000", "https://aws.amazon.com/cognito/pricing/")
