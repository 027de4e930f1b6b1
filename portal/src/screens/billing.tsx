/** Billing: the current subscription, invoices, billing information, payment details, and how to cancel. */

import { lazyScreen } from "../parts/lazy";
import type { ScreenProps } from "./load";
import type { View } from "../api";
import { day, languageName, money, country } from "../format";
import { both } from "../language";
import { InvoiceTable } from "../parts/invoices";
import { Load } from "../parts/load";
import { discountSaid, namedAs, SubscriptionTable, volume } from "../parts/subscription";
import { Facts, Table } from "../parts/table";
import { MayEdit } from "../parts/admins";
import { common, intervals, methods, screens } from "../words/common";

type Page = View<"BillingPageView">;

/** How many invoices the page shows; the others are one click away. */
const SHOWN = 3;

const words = both({
  en: {
    subscription: "Current subscription",
    since: (start: string) => `Since ${start}.`,
    whole: "Discounts on the whole",
    newPrices: (on: string) => `New prices from ${on}`,
    lastDay: (last: string) => `If you cancel by ${last}, you never pay them.`,
    before: "Until then",
    after: "From then on",
    product: "Product",
    invoices: "Invoices",
    all: "All invoices",
    information: "Billing information",
    used: "A change is used on the next invoices. Issued invoices stay as they are.",
    company: "Company",
    billing: "Billing",
    contact: "Contact",
    name: "Name",
    address: "Address",
    country: "Country",
    vat: "VAT number",
    email: "E-mail address for invoices",
    language: "Language of invoices",
    phone: "Phone",
    payment: "Payment details",
    method: "Method",
    card: "Card",
    expires: "Expires",
    account: "Bank account",
    mandate: "Mandate",
    frequency: "Frequency",
    amount: "Amount per charge",
    withTax: (net: string, tax: string) => `${net} and ${tax} tax`,
    next: "Next charge",
    nothingNext: "No charge is to come.",
    term: "Payment term",
    days: (days: number) => `${days} days`,
    noMethod: "None yet",
    change: "Use another card or bank account",
    setUp: "Set up a payment method",
    cancel: "How do I cancel my account?",
    cancelHow:
      "An admin of your company can cancel here, at any time and without a call. Before anything happens you see until when the subscription stays active and what is still charged.",
    cancelLink: "To the cancellation",
    others: "More",
  },
  it: {
    subscription: "Abbonamento corrente",
    since: (start: string) => `Dal ${start}.`,
    whole: "Sconti sul totale",
    newPrices: (on: string) => `Nuovi prezzi dal ${on}`,
    lastDay: (last: string) => `Se cancellate entro il ${last}, non li pagate mai.`,
    before: "Fino ad allora",
    after: "Da allora",
    product: "Prodotto",
    invoices: "Fatture",
    all: "Tutte le fatture",
    information: "Informazioni di fatturazione",
    used: "Una modifica vale per le prossime fatture. Quelle emesse restano come sono.",
    company: "Società",
    billing: "Fatturazione",
    contact: "Contatto",
    name: "Nome",
    address: "Indirizzo",
    country: "Paese",
    vat: "Partita IVA",
    email: "Indirizzo e-mail per le fatture",
    language: "Lingua delle fatture",
    phone: "Telefono",
    payment: "Dettagli di pagamento",
    method: "Metodo",
    card: "Carta",
    expires: "Scadenza",
    account: "Conto bancario",
    mandate: "Mandato",
    frequency: "Frequenza",
    amount: "Importo per addebito",
    withTax: (net: string, tax: string) => `${net} più ${tax} di imposta`,
    next: "Prossimo addebito",
    nothingNext: "Non è previsto nessun addebito.",
    term: "Termine di pagamento",
    days: (days: number) => `${days} giorni`,
    noMethod: "Ancora nessuno",
    change: "Usate un'altra carta o un altro conto",
    setUp: "Impostate un metodo di pagamento",
    cancel: "Come faccio a cancellare il mio account?",
    cancelHow:
      "Un amministratore della vostra società può cancellare qui, in ogni momento e senza telefonare. Prima vedete fino a quando l'abbonamento resta attivo e che cosa viene ancora addebitato.",
    cancelLink: "Alla cancellazione",
    others: "Altro",
  },
});

const EditInformation = lazyScreen(() => import("./edit_information"));
const EditPayment = lazyScreen(() => import("./edit_payment"));
const EditTerm = lazyScreen(() => import("./edit_term"));

export default function Billing({ account, rest: [section] }: ScreenProps) {
  const isEdited = account.role === "admin" && account.billing.value?.status !== "deactivated" && section !== undefined;
  return (
    <>
      <h1>{screens().billing.title}</h1>
      <Load of={account.billing}>
        {(page) =>
          section === "term" ? (
            <EditTerm />
          ) : isEdited && section === "payment" ? (
            <EditPayment page={page} />
          ) : isEdited && (section === "company" || section === "billing" || section === "contact") ? (
            <EditInformation section={section} />
          ) : (
            <Sections page={page} account={account} />
          )
        }
      </Load>
    </>
  );
}

function Sections({ page, account }: { page: Page; account: ScreenProps["account"] }) {
  return (
    <>
      <section class="card" aria-labelledby="subscription">
        <div class="head">
          <h2 id="subscription">{words().subscription}</h2>
          <p class="small">{words().since(day(page.contract.start))}</p>
        </div>
        <SubscriptionTable lines={page.subscription.lines} discounts={[]} />
        {page.subscription.discounts.length > 0 && (
          <Facts facts={[[words().whole, page.subscription.discounts.map(discountSaid).join("\n")]]} />
        )}
        {page.subscription.pending_version?.announced_on && (
          <NewPrices version={page.subscription.pending_version} lines={page.subscription.lines} />
        )}
      </section>
      <section class="card" aria-labelledby="invoices">
        <h2 id="invoices">{words().invoices}</h2>
        <InvoiceTable account={account} invoices={page.invoices.slice(0, SHOWN)} />
        {page.invoices.length > 0 && (
          <p>
            <a href={account.href("invoices")}>{words().all}</a>
          </p>
        )}
      </section>
      <section class="card" aria-labelledby="information">
        <h2 id="information">{words().information}</h2>
        <p class="small">{words().used}</p>
        <Information page={page} account={account} />
      </section>
      <section class="card" aria-labelledby="payment">
        <h2 id="payment">{words().payment}</h2>
        <Payment details={page.payment_details} />
        {account.role === "admin" && page.status !== "deactivated" && (
          <p>
            <a class="button" href={account.href("billing", "payment")}>
              {page.payment_details.method ? words().change : words().setUp}
            </a>
          </p>
        )}
      </section>
      <MayEdit />
      <section class="card" aria-labelledby="cancel">
        <h2 id="cancel">{words().cancel}</h2>
        <p>{words().cancelHow}</p>
        <p>
          <a href={account.href("cancellation")}>{words().cancelLink}</a>
        </p>
      </section>
    </>
  );
}

function NewPrices({ version, lines }: { version: View<"PendingVersionView">; lines: readonly View<"LineView">[] }) {
  return (
    <>
      <h3>{words().newPrices(day(version.effective_on))}</h3>
      <p>{words().lastDay(day(version.last_day_to_avoid_it))}</p>
      <Table
        caption={words().newPrices(day(version.effective_on))}
        empty=""
        rows={version.lines.map((line) => namedAs(lines, line))}
        name={({ product }) => product}
        columns={[
          { head: words().product, cell: ({ name }) => name },
          {
            head: words().before,
            isNumber: true,
            cell: ({ before, unit }) => `${volume(before.up_to, unit)}: ${money(before.price_per_month)}`,
          },
          {
            head: words().after,
            isNumber: true,
            cell: ({ after, unit }) => `${volume(after.up_to, unit)}: ${money(after.price_per_month)}`,
          },
        ]}
      />
    </>
  );
}

function Information({ page, account }: { page: Page; account: ScreenProps["account"] }) {
  const { company, billing, contact } = page.billing_information;
  const edit = (section: "company" | "billing" | "contact", name: string) =>
    account.role === "admin" &&
    page.status !== "deactivated" && (
      <a href={account.href("billing", section)} aria-label={`${common().edit}: ${name}`}>
        {common().edit}
      </a>
    );
  const address = [company.address_line_1, company.address_line_2, [company.postcode, company.city].filter(Boolean).join(" ")];
  return (
    <div class="grid">
      <div>
        <div class="head">
          <h3>{words().company}</h3>
          {edit("company", words().company)}
        </div>
        <Facts
          facts={[
            [words().name, <bdi key="name">{company.name}</bdi>],
            [words().address, address.filter(Boolean).join("\n")],
            [words().country, country(company.country)],
            [words().vat, company.vat_number ?? common().none],
          ]}
        />
      </div>
      <div>
        <div class="head">
          <h3>{words().billing}</h3>
          {edit("billing", words().billing)}
        </div>
        <Facts
          facts={[
            [words().email, billing.email],
            [words().language, languageName(billing.language)],
          ]}
        />
      </div>
      <div>
        <div class="head">
          <h3>{words().contact}</h3>
          {edit("contact", words().contact)}
        </div>
        <Facts
          facts={[
            [words().name, <bdi key="name">{contact.name}</bdi>],
            [words().phone, contact.phone ?? common().none],
          ]}
        />
      </div>
    </div>
  );
}

function Payment({ details }: { details: Page["payment_details"] }) {
  const { card, debit, next_charge: next, payment_term_days: term } = details;
  return (
    <Facts
      facts={[
        [words().method, details.method ? methods()[details.method] : words().noMethod],
        [words().card, card && `${brand(card.brand)} •••• ${card.last_four}`],
        [words().expires, card && `${String(card.expiry_month).padStart(2, "0")}/${card.expiry_year}`],
        [words().account, debit && `${country(debit.country)} •••• ${debit.last_four}`],
        [words().mandate, debit?.mandate ?? null],
        [words().frequency, intervals()(details.interval_months)],
        [
          words().amount,
          next && (
            <>
              <strong>{money(next.total)}</strong>
              {next.tax.amount > 0 && <div class="small">{words().withTax(money(next.net), money(next.tax))}</div>}
            </>
          ),
        ],
        [words().next, next ? day(next.on, "long") : words().nothingNext],
        [words().term, details.method === "bank_transfer" && term !== null ? words().days(term) : null],
      ]}
    />
  );
}

const BRANDS: Record<string, string> = {
  amex: "American Express",
  diners: "Diners Club",
  discover: "Discover",
  jcb: "JCB",
  mastercard: "Mastercard",
  unionpay: "UnionPay",
  visa: "Visa",
};

function brand(name: string): string {
  return BRANDS[name] ?? name;
}
