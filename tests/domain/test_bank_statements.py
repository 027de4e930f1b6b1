"""How banks write statements, how a booking is recognised, and which invoices it names and pays."""

from __future__ import annotations

import logging
import zipfile
from dataclasses import replace
from datetime import date
from io import BytesIO

import pytest
from billing.invoicing.bank_statements.files import PACKED_FILES_MAX, UNPACKED_BYTES_MAX, read_statements
from billing.invoicing.bank_statements.matching import (
    Doubt,
    Mention,
    PayableInvoice,
    fitting,
    judged,
)
from billing.invoicing.bank_statements.references import mentions
from billing.invoicing.bank_statements.rules import (
    ENTRIES_MAX,
    BankPayer,
    Booking,
    Statement,
    checked,
    entry_ids,
    is_of,
)
from billing.kernel.errors import RuleViolation
from billing.kernel.money import Money

from tests.bank_statements import DAY, OUR_IBAN, PAYER_IBAN, Paid, batch, camt053, mt940, with_entry

TODAY = date(2026, 6, 10)
NUMBER, OTHER = "LV-2026-000014", "LV-2026-000015"


def only(content: bytes) -> Statement:
    [statement] = read_statements(content)
    return statement


def ids(*contents: bytes) -> list[str]:
    return [each for content in contents for found in entry_ids(read_statements(content)) for each in found]


def code(content: bytes) -> tuple[tuple[str | int, ...], str]:
    with pytest.raises(RuleViolation) as refused:
        checked(read_statements(content), TODAY)
    [violation] = refused.value.violations
    return violation.path, violation.code.value


# ---- CAMT ----


@pytest.mark.parametrize("version", [f"{number:02}" for number in range(2, 14)])
def test_camt_053_of_every_version(version: str) -> None:
    paid = Paid(14_700, f"{NUMBER} & more", "R1", end_to_end="E2E-1")
    statement = only(camt053(paid, Paid(-900, "fee"), Paid(100, "later", status="PDNG"), version=version))

    assert (statement.account, statement.currency, statement.opening, statement.closing) == (
        OUR_IBAN,
        "EUR",
        100_000,
        113_800,
    )
    assert (statement.is_balanced, statement.ignored, statement.pending) == (True, 1, 1)
    assert statement.bookings == (
        Booking(
            Money(14_700, "EUR"),
            DAY,
            "R1",
            (f"{NUMBER} & more", "E2E-1"),
            BankPayer("Nordlys Kaffe ApS", PAYER_IBAN),
            place=("statements", 0, "entries", 0),
        ),
    )


def test_prefixes_other_encodings_and_marks_at_the_beginning() -> None:
    plain = camt053(Paid(14_700, NUMBER, "R1", name="Køb & Søn"))
    text = plain.decode()
    prefixed = text.replace("<", "<c:").replace("<c:/", "</c:").replace("<c:?", "<?").replace("xmlns=", "xmlns:c=")
    latin = text.replace("UTF-8", "ISO-8859-1").encode("latin-1")
    wide = text.replace("UTF-8", "UTF-16").encode("utf-16")

    for content in (prefixed.encode(), latin, wide, b"\xef\xbb\xbf" + plain, b"\n" + plain[plain.index(b"<Doc") :]):
        assert only(content) == only(plain)


def test_a_batch_is_its_payments_if_all_amounts_are_known() -> None:
    empty = camt053(opening=None)
    parts = [Paid(10_000, NUMBER, end_to_end="A"), Paid(4_700, OTHER, end_to_end="B")]

    known = only(with_entry(empty, batch(14_700, parts)))
    unknown = only(with_entry(empty, batch(14_700, parts, amounts=False)))
    wrong = only(with_entry(empty, batch(14_800, parts)))

    assert [(each.amount.amount, each.texts[0], each.is_batch) for each in known.bookings] == [
        (10_000, NUMBER, False),
        (4_700, OTHER, False),
    ]
    assert len({*ids(with_entry(empty, batch(14_700, parts)))}) == 2
    for statement in (unknown, wrong):
        [whole] = statement.bookings
        assert whole.is_batch
        assert judged(whole, (), {}, is_own_account=True).doubt is Doubt.BATCH


def test_structured_references_and_several_lines_are_texts() -> None:
    content = camt053(Paid(14_700, "X"), opening=None).replace(
        b"<Ustrd>X</Ustrd>",
        b"<Ustrd>LV-2026-</Ustrd><Ustrd>000014</Ustrd><Strd><RfrdDocInf><Nb>LV2026000015</Nb></RfrdDocInf>"
        b"<CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp><Ref>RF18 5390 0754 7034</Ref></CdtrRefInf></Strd>",
    )

    [booking] = only(content).bookings

    assert booking.texts == ("LV-2026-\n000014", "RF18 5390 0754 7034", "LV2026000015")
    assert [each.readings for each in mentions(booking.texts, "LV")] == [(NUMBER,), (OTHER,)]


def test_returned_money_is_a_reversal() -> None:
    content = camt053(Paid(14_700, NUMBER), opening=None).replace(
        b"</TxDtls>", b"<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf></TxDtls>"
    )

    assert only(content).bookings[0].is_reversal


def test_several_statements_of_several_accounts() -> None:
    first, second = camt053(Paid(100, "a")), camt053(Paid(200, "b"), account="DE02120300000000202051", name="STM-2")
    inner = second[second.index(b"<Stmt>") : second.index(b"</BkTo")]

    found = read_statements(first.replace(b"</Stmt>", b"</Stmt>" + inner))

    assert [(each.account[-4:], each.bookings[0].amount.amount, each.place) for each in found] == [
        ("3000", 100, ("statements", 0)),
        ("2051", 200, ("statements", 1)),
    ]


def test_one_page_of_several_is_not_balanced() -> None:
    page = camt053(Paid(100, "a"), closing=500_000).replace(
        b"<Acct>", b"<StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn><Acct>"
    )

    assert only(page).is_balanced is None


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE d SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        "<!DOCTYPE d [" + "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9)) + "]>",
    ],
)
def test_a_hostile_file_is_refused_before_it_is_read(declared: str) -> None:
    text = camt053(Paid(100, "&l9;" if "l9" in declared else "a")).decode().replace("&amp;", "&")

    assert code(text.replace("<Document", declared + "<Document", 1).encode()) == ((), "malformed")


def test_a_file_has_limits() -> None:
    def packed(*files: bytes) -> bytes:
        to = BytesIO()
        with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as file:
            for place, each in enumerate(files):
                file.writestr(f"{place}.xml", each)
        return to.getvalue()

    bomb = packed(b"<" + b" " * UNPACKED_BYTES_MAX)
    assert len(bomb) < 100_000
    assert code(bomb) == ((), "too-large")
    assert code(packed(*[b"<a/>"] * (PACKED_FILES_MAX + 1))) == ((), "too-many")
    assert code(packed(packed(b"<a/>"))) == ((), "unsupported")
    assert code(packed(b"<a/>")[:-30]) == ((), "malformed")
    statement = only(camt053(Paid(100, "a")))
    with pytest.raises(RuleViolation):
        checked([replace(statement, bookings=statement.bookings * (ENTRIES_MAX + 1), opening=None)], TODAY)


# ---- MT940 ----


def test_mt940_of_german_banks() -> None:
    statement = only(
        mt940(Paid(14_700, f"Rechnung {NUMBER}", "B1"), Paid(-900, "fee"), Paid(500, "x", is_reversal=True))
    )

    assert (statement.name, statement.page, statement.is_balanced, statement.ignored) == ("00042", "001", True, 1)
    first, second = statement.bookings
    assert (first.amount, first.booked_on, first.reference) == (Money(14_700, "EUR"), DAY, "B1")
    assert (first.texts, first.payer) == ((f"Rechnung {NUMBER}",), BankPayer("Nordlys Kaffe ApS", PAYER_IBAN))
    assert (second.reference, second.is_reversal) == (None, True)


def test_mt940_of_dutch_banks_and_without_structure() -> None:
    content = (
        b":20:ING\n:25:NL91ABNA0417164300EUR\n:28C:17\n:60F:C260608EUR0,00\n"
        b":61:2606090609C147,00NTRFEREF//2606090001\n"
        b":86:/EREF/NOTPROVIDED//CNTP/NL20INGB0001234567/INGBNL2A/Caf\xe9 Zon///REMI/USTD//LV-2026-0000\n14/\n"
        b":61:260609C10,00NMSC\n:86:COFFEE LV2026000015\n:62F:C260609EUR157,00\n-\n"
    )

    first, second = only(content).bookings

    assert first.payer == BankPayer("Caf\xe9 Zon", "NL20INGB0001234567")
    assert [each.readings for each in mentions(first.texts, "LV")] == [(NUMBER,)]
    assert [each.readings for each in mentions(second.texts, "LV")] == [(OTHER,)]
    assert is_of("NL91ABNA0417164300EUR", "NL91 ABNA 0417 1643 00")


def test_what_cannot_be_read_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    broken = mt940(Paid(500, "secret")).replace(b":61:26", b":61:XX")

    with caplog.at_level(logging.DEBUG):
        assert code(broken) == (("statements", 0), "malformed")

    assert "secret" not in caplog.text
    assert "Nordlys" not in caplog.text


def test_an_account_is_ours_by_iban_or_by_bank_code_and_number() -> None:
    assert is_of("DE89 3704 0044 0532 0130 00", OUR_IBAN)
    assert is_of("37040044/0532013000", OUR_IBAN)
    assert not is_of("37040044/0532013001", OUR_IBAN)
    assert not is_of("DE02120300000000202051", OUR_IBAN)


# ---- The same booking ----


def test_a_booking_is_the_same_by_the_banks_reference_whatever_else_is_written() -> None:
    paid = Paid(14_700, NUMBER, "R1")

    assert ids(camt053(paid)) == ids(
        camt053(replace(paid, text="cut", name="N.", iban=None), name="STM-2", version="02")
    )
    for other in (replace(paid, reference="R2"), replace(paid, amount=1), replace(paid, day=date(2026, 6, 8))):
        assert ids(camt053(other)) != ids(camt053(paid))
    assert ids(camt053(paid, account="DE02120300000000202051")) != ids(camt053(paid))


def test_without_a_reference_equal_ones_are_counted_within_a_statement() -> None:
    paid = Paid(500, "coffee")
    once, twice = ids(camt053(paid)), ids(camt053(paid, Paid(700, "tea"), paid, name="STM-2"))

    assert twice[0] == once[0]
    assert len({*twice}) == 3
    assert ids(camt053(replace(paid, text="COFFEE"))) == once
    assert ids(camt053(replace(paid, iban=None))) != once


def test_pages_are_one_statement_and_a_page_that_comes_twice_is_one() -> None:
    first, second = (only(mt940(Paid(500, "coffee"), number=f"42/{page}")) for page in (1, 2))

    found = entry_ids([first, second, first])

    assert found[0] == found[2]
    assert found[0] != found[1]


# ---- Numbers in texts ----


@pytest.mark.parametrize(
    "text",
    [
        "LV-2026-000014",
        "lv 2026 14",
        "Rg.Nr.:LV2026/000014, danke",
        "LV - 2026 - 000 014",
        "LV_2026_000014.",
        "LV-20\n26-000014",
        "LV-2026-0000\n14",
        "\uff2c\uff36\uff0d\uff12\uff10\uff12\uff16\uff0d\uff10\uff10\uff10\uff10\uff11\uff14",
        "RF71LV2026000014",
    ],
)
def test_a_number_is_found_however_it_is_written(text: str) -> None:
    assert mentions([text, text], "LV") == (Mention((NUMBER,), is_clear=True),)


def test_what_may_be_a_number_and_what_is_none() -> None:
    assert mentions(["RechnungLV-2026-000014"], "LV") == (Mention((NUMBER,), is_clear=False),)
    assert mentions(["LV-2026-14 0002"], "LV") == (Mention((NUMBER, "LV-2026-140002"), is_clear=True),)
    assert mentions(["LV-2026-1234567"], "LV") == (Mention(("LV-2026-1234567",), is_clear=True),)
    assert mentions(["LV-2026-000014, LV-2026-000015"], "LV") == (Mention((NUMBER,), True), Mention((OTHER,), True))
    for text in ("LV-1926-000014", "XY-2026-000014", "LV-2026-", "LV-2026-0000000014", "LV-2026-0", ""):
        assert mentions([text], "LV") == (), text
    assert mentions(["RF72LV2026000014"], "LV")[0].is_clear is False, "the check digits are wrong"


# ---- What it pays ----

BOOKING = Booking(Money(14_700, "EUR"), DAY)
INVOICE = PayableInvoice(NUMBER, "nordlys-kaffe", Money(14_700, "EUR"))


def judge(
    *known: PayableInvoice, booking: Booking = BOOKING, named: tuple[Mention, ...] | None = None
) -> tuple[Doubt | None, list[tuple[str, int]]]:
    found = named or tuple(Mention((each.number,), is_clear=True) for each in known)
    match = judged(booking, found, {each.number: each for each in known}, is_own_account=True)
    return match.doubt, [share for part in match.parts for share in part.invoices or ()]


def of(amount: int) -> Booking:
    return replace(BOOKING, amount=Money(amount, "EUR"))


def test_what_agrees_exactly_is_certain() -> None:
    paid = replace(INVOICE, number=OTHER, left=Money(0, "EUR"))

    assert judge(INVOICE) == (None, [(NUMBER, 14_700)])
    assert judge(INVOICE, replace(INVOICE, number=OTHER), booking=of(29_400)) == (
        None,
        [(NUMBER, 14_700), (OTHER, 14_700)],
    )
    assert judge(INVOICE, paid) == (None, [(NUMBER, 14_700)])


def test_everything_else_is_doubtful_and_what_it_may_pay_is_suggested() -> None:
    other = replace(INVOICE, number=OTHER)
    assert judge(INVOICE, booking=of(13_500)) == (Doubt.AMOUNT_LESS, [(NUMBER, 13_500)])
    assert judge(INVOICE, booking=of(14_701)) == (Doubt.AMOUNT_MORE, [(NUMBER, 14_701)])
    assert judge(INVOICE, other, booking=of(20_000)) == (Doubt.AMOUNT_LESS, [(NUMBER, 14_700), (OTHER, 5_300)])
    assert judge(replace(INVOICE, left=Money(0, "EUR"))) == (Doubt.PAID_ALREADY, [])
    assert judge(replace(INVOICE, left=Money(14_700, "USD"))) == (Doubt.OTHER_CURRENCY, [])
    assert judge(replace(INVOICE, is_credit_note=True)) == (Doubt.CREDIT_NOTE, [])
    assert judge(replace(INVOICE, is_in_transit=True))[0] is Doubt.IN_TRANSIT
    assert judge(replace(INVOICE, account=None)) == (Doubt.NO_ACCOUNT, [])
    assert judge(INVOICE, replace(other, account="sydlys"), booking=of(29_400))[0] is Doubt.SEVERAL_ACCOUNTS
    assert judge(INVOICE, booking=replace(BOOKING, is_reversal=True))[0] is Doubt.REVERSAL
    unknown = Mention(("LV-2026-000099",), is_clear=True)
    assert judge(named=(unknown,))[0] is Doubt.NUMBER_NOT_FOUND
    assert judge(INVOICE, named=(Mention((NUMBER,), True), unknown)) == (Doubt.NUMBER_NOT_FOUND, [(NUMBER, 14_700)])
    assert judge(INVOICE, other, named=(Mention((NUMBER, OTHER), True),)) == (Doubt.AMBIGUOUS, [])
    assert judge(INVOICE, named=(Mention((NUMBER,), False),))[0] is Doubt.UNCLEAR_NUMBER
    assert judge()[0] is Doubt.UNKNOWN
    assert not judged(BOOKING, (), {}, is_own_account=False).parts
    assert judged(BOOKING, (), {}, is_own_account=False).doubt is Doubt.OTHER_ACCOUNT


def test_what_a_known_payer_owes_is_suggested_if_the_amount_fits() -> None:
    other = replace(INVOICE, number=OTHER, left=Money(5_300, "EUR"))

    assert fitting(Money(20_000, "EUR"), [INVOICE, other]) == (INVOICE, other)
    assert fitting(Money(5_300, "EUR"), [INVOICE, other]) == (other,)
    assert fitting(Money(5_300, "EUR"), [other, replace(other, number="LV-2026-000016")]) == ()
    assert fitting(Money(5_300, "USD"), [INVOICE, other]) == ()
    match = judged(BOOKING, (), {}, is_own_account=True, suggested=[INVOICE])
    assert (match.doubt, match.parts[0].invoices) == (Doubt.KNOWN_PAYER, ((NUMBER, 14_700),))
