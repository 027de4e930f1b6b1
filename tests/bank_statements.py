"""Bank statements as banks send them, with fictitious names: CAMT.053 after the examples of ISO 20022, and MT940."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

OUR_IBAN = "DE89370400440532013000"
PAYER_IBAN = "DK5000400440116243"
DAY = date(2026, 6, 9)

_CAMT = "urn:iso:std:iso:20022:tech:xsd:camt"


@dataclass(frozen=True)
class Paid:
    """A booking: minor units of money that came in; below zero for money that went out."""

    amount: int
    text: str = ""
    reference: str | None = None
    name: str = "Nordlys Kaffe ApS"
    iban: str | None = PAYER_IBAN
    day: date = DAY
    currency: str = "EUR"
    is_reversal: bool = False
    end_to_end: str = "NOTPROVIDED"
    status: str = "BOOK"


def camt053(
    *paid: Paid,
    name: str = "STM-1",
    account: str = OUR_IBAN,
    opening: int | None = 100_000,
    closing: int | None = None,
    version: str = "08",
    message: str = "053",
    day: date = DAY,
) -> bytes:
    """A statement of one day. The closing balance fits, unless another is named."""
    booked = [each for each in paid if each.status == "BOOK"]
    end = closing if closing is not None or opening is None else opening + sum(each.amount for each in booked)
    outer, inner = ("BkToCstmrStmt", "Stmt") if message == "053" else ("BkToCstmrAcctRpt", "Rpt")
    balances = "".join(
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>{_amount(value, 'EUR')}<Dt><Dt>{day}</Dt></Dt></Bal>"
        for kind, value in (("OPBD", opening), ("CLBD", end))
        if value is not None
    )
    entries = "".join(_entry(each, version) for each in paid)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{_CAMT}.{message}.001.{version}"><{outer}>'
        f"<GrpHdr><MsgId>M-{name}</MsgId><CreDtTm>{day}T20:00:00+02:00</CreDtTm></GrpHdr>"
        f"<{inner}><Id>{name}</Id><CreDtTm>{day}T20:00:00+02:00</CreDtTm>"
        f"<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>EUR</Ccy></Acct>{balances}{entries}</{inner}></{outer}></Document>"
    ).encode()


def mt940(*paid: Paid, number: str = "00042/001", account: str = OUR_IBAN, opening: int = 100_000) -> bytes:
    """A statement in the form of German banks, in a SWIFT envelope."""
    day = paid[0].day if paid else DAY
    lines = [
        "{1:F01COBADEFFXXXX0000000000}{2:I940COBADEFFXXXXN}{4:",
        ":20:STARTUMS",
        f":25:{account}",
        f":28C:{number}",
    ]
    lines.append(f":60F:C{day:%y%m%d}EUR{_decimal(opening)}")
    for each in paid:
        mark = ("R" if each.is_reversal else "") + ("C" if (each.amount > 0) != each.is_reversal else "D")
        reference = f"//{each.reference}" if each.reference else ""
        lines.append(f":61:{each.day:%y%m%d}{each.day:%m%d}{mark}{_decimal(abs(each.amount))}NTRFNONREF{reference}")
        chunks = [each.text[start : start + 27] for start in range(0, len(each.text), 27)]
        purpose = "".join(f"?{20 + place}{chunk}" for place, chunk in enumerate(chunks))
        lines.append(f":86:166?00GUTSCHRIFT{purpose}?31{each.iban or ''}?32{each.name}")
    lines += [f":62F:C{day:%y%m%d}EUR{_decimal(opening + sum(each.amount for each in paid))}", "-}"]
    return "\r\n".join(lines).encode()


def batch(total: int, parts: Sequence[Paid], reference: str = "BATCH-1", *, amounts: bool = True) -> str:
    """One entry with several payments."""
    details = "".join(_details(each, each.amount if amounts else None) for each in parts)
    return (
        f"<Ntry>{_amount(total, 'EUR')}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{DAY}</Dt></BookgDt>"
        f"<AcctSvcrRef>{reference}</AcctSvcrRef><NtryDtls><Btch><NbOfTxs>{len(parts)}</NbOfTxs></Btch>{details}</NtryDtls>"
        "</Ntry>"
    )


def with_entry(statement: bytes, entry: str) -> bytes:
    """A statement with another entry at its end. Its balances must not be there."""
    return statement.replace(b"</Stmt>", entry.encode() + b"</Stmt>")


def _entry(paid: Paid, version: str) -> str:
    status = paid.status if version < "04" else f"<Cd>{paid.status}</Cd>"
    reversal = "<RvslInd>true</RvslInd>" if paid.is_reversal else ""
    reference = f"<AcctSvcrRef>{paid.reference}</AcctSvcrRef>" if paid.reference else ""
    return (
        f"<Ntry>{_amount(paid.amount, paid.currency)}{reversal}<Sts>{status}</Sts>"
        f"<BookgDt><Dt>{paid.day}</Dt></BookgDt>{reference}<NtryDtls>{_details(paid, None, version)}</NtryDtls></Ntry>"
    )


def _details(paid: Paid, amount: int | None, version: str = "08") -> str:
    name = f"<Nm>{escape(paid.name)}</Nm>"
    party = name if version < "04" else f"<Pty>{name}</Pty>"
    iban = f"<DbtrAcct><Id><IBAN>{paid.iban}</IBAN></Id></DbtrAcct>" if paid.iban else ""
    text = f"<RmtInf><Ustrd>{escape(paid.text)}</Ustrd></RmtInf>" if paid.text else ""
    return (
        f"<TxDtls><Refs><EndToEndId>{paid.end_to_end}</EndToEndId></Refs>"
        f"{'' if amount is None else _amount(amount, paid.currency)}"
        f"<RltdPties><Dbtr>{party}</Dbtr>{iban}</RltdPties>{text}</TxDtls>"
    )


def _amount(value: int, currency: str) -> str:
    way = "CRDT" if value >= 0 else "DBIT"
    return f'<Amt Ccy="{currency}">{abs(value) / 100:.2f}</Amt><CdtDbtInd>{way}</CdtDbtInd>'


def _decimal(value: int) -> str:
    return f"{value // 100},{value % 100:02}"
