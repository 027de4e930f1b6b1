/** One invoice or credit note: its lines, its tax, its payment, its documents. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Account } from "../account";
import { answer, api, type Problem, type View } from "../api";
import { country, day, lastDay, money, number as figure } from "../format";
import { both, language } from "../language";
import { DocumentButton } from "../parts/download";
import { Tag } from "../parts/invoices";
import { Lines } from "../parts/lines";
import { Load, problemOf, ProblemNote, useLoad } from "../parts/load";
import { Facts } from "../parts/table";
import { giveConsent, StripeFault, type StripeFailure } from "../stripe";
import { methods, screens } from "../words/common";
import { stripeSaid } from "../words/stripe";

type Invoice = View<"InvoiceDetailsView">;

const words = both({
  en: {
    invoice: (number: string) => `Invoice ${number}`,
    note: (number: string) => `Credit note ${number}`,
    of: "Credit note of",
    replaces: "In the place of",
    reason: "Reason",
    produced: "Produced",
    due: "Due",
    paid: "Paid",
    period: "Period",
    to: "To",
    from: "From",
    tax: "Tax",
    documents: "Documents",
    pdf: "PDF",
    xml: "E-invoice (XML)",
    download: (number: string, kind: string) => `Download ${number}: ${kind}`,
    payment: "Payment",
    status: "Status",
    method: "Method",
    attempts: "Attempts",
    next: "Next attempt",
    left: "Still to pay",
    waived: "Waived",
    refunded: "Refunded",
    reference: "Reference of the transfer",
    failure: "Why it failed",
    credited: "Credit notes",
    reminders: "Reminders",
    reminded: (count: string, on: string) => `${count}, the last on ${on}`,
    nextReminder: "Next reminder",
    consent: "Your bank wants you to confirm this payment.",
    confirm: "Confirm at the bank",
    retry: "Try the payment again now",
    trying: "Being tried…",
    other: "Use another card or bank account",
    setUp: "Set up a payment method",
    outcomes: {
      paid: "It is paid.",
      in_transit: "The payment is under way.",
      refused: "The payment was refused again.",
    },
    paidSoFar: "Paid so far",
    failures: {
      declined: "The bank declined.",
      insufficient_funds: "There are not enough funds.",
      expired_card: "The card has expired.",
      authentication_required: "The bank wants your consent.",
      no_payment_method: "No payment method is set up.",
    } as Record<string, string>,
    otherFailure: "The payment was refused.",
  },
  it: {
    invoice: (number: string) => `Fattura ${number}`,
    note: (number: string) => `Nota di credito ${number}`,
    of: "Nota di credito di",
    replaces: "In sostituzione di",
    reason: "Motivo",
    produced: "Emessa",
    due: "Scadenza",
    paid: "Pagata",
    period: "Periodo",
    to: "A",
    from: "Da",
    tax: "Imposta",
    documents: "Documenti",
    pdf: "PDF",
    xml: "Fattura elettronica (XML)",
    download: (number: string, kind: string) => `Scarica ${number}: ${kind}`,
    payment: "Pagamento",
    status: "Stato",
    method: "Metodo",
    attempts: "Tentativi",
    next: "Prossimo tentativo",
    left: "Ancora da pagare",
    waived: "Non dovuto",
    refunded: "Rimborsato",
    reference: "Riferimento del bonifico",
    failure: "Perché non è riuscito",
    credited: "Note di credito",
    reminders: "Solleciti",
    reminded: (count: string, on: string) => `${count}, l'ultimo il ${on}`,
    nextReminder: "Prossimo sollecito",
    consent: "La vostra banca vuole che confermiate questo pagamento.",
    confirm: "Confermate presso la banca",
    retry: "Riprovate ora il pagamento",
    trying: "Tentativo in corso…",
    other: "Usate un'altra carta o un altro conto",
    setUp: "Impostate un metodo di pagamento",
    outcomes: {
      paid: "È pagata.",
      in_transit: "Il pagamento è in corso.",
      refused: "Il pagamento è stato rifiutato di nuovo.",
    },
    paidSoFar: "Pagato finora",
    failures: {
      declined: "La banca ha rifiutato.",
      insufficient_funds: "I fondi non sono sufficienti.",
      expired_card: "La carta è scaduta.",
      authentication_required: "La banca vuole il vostro consenso.",
      no_payment_method: "Nessun metodo di pagamento è impostato.",
    } as Record<string, string>,
    otherFailure: "Il pagamento è stato rifiutato.",
  },
});

export default function OneInvoice({ account, number }: { account: Account; number: string }) {
  const params = { path: { account: account.id, number } };
  const invoice = useLoad(() => answer(api.GET("/accounts/{account}/invoices/{number}", { params })), [account.id, number]);
  return (
    <>
      <p>
        <a href={account.href("invoices")}>← {screens().invoices.title}</a>
      </p>
      {!invoice.value && <h1>{words().invoice(number)}</h1>}
      <Load of={invoice}>{(found) => <Details account={account} invoice={found} onChange={invoice.set} />}</Load>
    </>
  );
}

interface DetailsProps {
  account: Account;
  invoice: Invoice;
  onChange: (invoice: Invoice) => void;
}

function Details({ account, invoice, onChange }: DetailsProps) {
  const { number, corrects, replaces, payment } = invoice;
  const link = (other: string) => <a href={account.href("invoices", other)}>{other}</a>;
  const text = words();
  return (
    <>
      <h1>
        {corrects ? text.note(number) : text.invoice(number)} <Tag status={payment.status} />
      </h1>
      <div class="grid">
        <section class="card" aria-label={text.documents}>
          <Facts
            facts={[
              [text.of, corrects && link(corrects.number)],
              [text.replaces, replaces && link(replaces.number)],
              [text.reason, corrects?.reason ?? replaces?.reason ?? null],
              [text.produced, day(invoice.produced_on)],
              [text.due, day(invoice.due_on)],
              [text.paid, payment.paid_on && day(payment.paid_on)],
              [text.period, `${day(invoice.since)} – ${lastDay(invoice.until)}`],
              [text.from, party(invoice.seller)],
              [text.to, party(invoice.company)],
            ]}
          />
          <p class="buttons">
            <DocumentButton account={account.id} number={number} kind="pdf" label={text.pdf} title={text.download(number, text.pdf)} />
            <DocumentButton account={account.id} number={number} kind="xml" label={text.xml} title={text.download(number, text.xml)} />
          </p>
        </section>
        {!corrects && <Payment account={account} invoice={invoice} onChange={onChange} />}
      </div>
      <section class="card">
        <Lines account={account.id} of={invoice} />
      </section>
    </>
  );
}

function party({ name, address_line_1, address_line_2, postcode, city, country: code, vat_number }: View<"PartyView">): string {
  const place = [postcode, city].filter(Boolean).join(" ");
  return [name, address_line_1, address_line_2, place, country(code), vat_number].filter(Boolean).join("\n");
}

function Payment({ account, invoice, onChange }: DetailsProps) {
  const { payment } = invoice;
  const text = words();
  const last = payment.reminders.sent.at(-1);
  const notes = [...new Set(payment.credited.map(({ credit_note }) => credit_note))];
  const isOwed = payment.status === "past_due" || payment.status === "open";
  const [outcome, setOutcome] = useState("");
  const told = useRef<HTMLParagraphElement>(null);
  // The button that was pressed may be gone.
  useEffect(() => {
    if (outcome) told.current?.focus();
  }, [outcome]);
  const changed = (to: Invoice, isRefused: boolean) => {
    const { status } = to.payment;
    const isKnown = status === "paid" || status === "in_transit";
    setOutcome(isKnown ? text.outcomes[status] : isRefused ? "" : text.outcomes.refused);
    onChange(to);
  };
  return (
    <section class="card" aria-labelledby="payment">
      <h2 id="payment">{text.payment}</h2>
      <Facts
        facts={[
          [text.method, payment.method && methods()[payment.method]],
          [text.attempts, payment.attempts ? figure(payment.attempts) : null],
          [text.failure, isOwed && payment.failure ? (text.failures[payment.failure] ?? text.otherFailure) : null],
          [text.next, payment.next_attempt_on && day(payment.next_attempt_on)],
          [text.paidSoFar, money(payment.paid)],
          [text.left, money(payment.left)],
          [text.waived, payment.waived.amount ? money(payment.waived) : null],
          [text.refunded, payment.refunded.amount ? money(payment.refunded) : null],
          [text.reference, payment.reference],
          [
            text.credited,
            notes.length
              ? notes.map((note) => (
                  <div key={note}>
                    <a href={account.href("invoices", note)}>{note}</a>
                  </div>
                ))
              : null,
          ],
          [text.reminders, last ? text.reminded(figure(payment.reminders.sent.length), day(last.on)) : null],
          [text.nextReminder, payment.reminders.next_on && day(payment.reminders.next_on)],
        ]}
      />
      <p role="status" ref={told} tabIndex={-1} class="outcome">
        {outcome}
      </p>
      {account.role === "admin" && isOwed && payment.left.amount > 0 && (
        <Attempt
          account={account}
          invoice={invoice}
          onBegin={() => setOutcome("")}
          onChange={changed}
        />
      )}
    </section>
  );
}

interface AttemptProps {
  account: Account;
  invoice: Invoice;
  onBegin: () => void;
  /** `isRefused`: it is shown already that the payment service has refused. */
  onChange: (invoice: Invoice, isRefused: boolean) => void;
}

/** What an admin may do about a charge that failed: give the bank the consent that it wants, or try again. */
function Attempt({ account, invoice, onBegin, onChange }: AttemptProps) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [failure, setFailure] = useState<StripeFailure | null>(null);
  const params = { path: { account: account.id, number: invoice.number } };
  const isAsked = invoice.payment.failure === "authentication_required";
  const method = account.billing.value?.payment_details.method;
  // What is transferred, or has nothing to be charged with, cannot be tried again.
  if (!isAsked && (invoice.payment.status !== "past_due" || method === "bank_transfer")) return null;
  if (!isAsked && method === null) {
    return (
      <p class="buttons">
        <a class="button main" href={account.href("billing", "payment")}>
          {words().setUp}
        </a>
      </p>
    );
  }
  const act = async () => {
    if (isBusy) return;
    setBusy(true);
    onBegin();
    setProblem(null);
    setFailure(null);
    try {
      if (isAsked) {
        const consent = await answer(api.POST("/accounts/{account}/invoices/{number}/consent", { params }));
        const refused = await giveConsent(consent, language());
        if (refused) setFailure(refused);
        onChange(await answer(api.GET("/accounts/{account}/invoices/{number}", { params })), refused !== null);
      } else {
        onChange(await answer(api.POST("/accounts/{account}/invoices/{number}/payment-attempts", { params })), false);
      }
      account.billing.reload();
    } catch (thrown) {
      if (thrown instanceof StripeFault) setFailure(thrown.stripe);
      else setProblem(problemOf(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {isAsked && <p>{words().consent}</p>}
      {failure && (
        <p role="alert" class="error">
          {stripeSaid(failure)}
        </p>
      )}
      {problem && <ProblemNote problem={problem} />}
      <p class="buttons">
        <button type="button" class="main" aria-disabled={isBusy} onClick={act}>
          {isBusy ? words().trying : isAsked ? words().confirm : words().retry}
        </button>
        <a class="button" href={account.href("billing", "payment")}>
          {words().other}
        </a>
      </p>
    </>
  );
}
