/** A list of invoices, on the billing page and on their own. */

import type { Account } from "../account";
import type { View } from "../api";
import { day, money } from "../format";
import { both } from "../language";
import { statuses } from "../words/common";
import { DocumentButton } from "./download";
import { Table } from "./table";

type Invoice = View<"InvoiceView">;

const words = both({
  en: {
    caption: "Invoices",
    number: "Number",
    produced: "Produced",
    due: "Due",
    paid: "Paid",
    status: "Status",
    total: "Total",
    file: "Download",
    pdf: (number: string) => `Download ${number} as PDF`,
    none: "No invoice yet. The first one is issued when the first paid period begins.",
    noneSuch: "No invoice of this year and status.",
    corrects: (number: string) => `Credit note of ${number}`,
    left: (amount: string) => `${amount} to pay`,
  },
  it: {
    caption: "Fatture",
    number: "Numero",
    produced: "Emessa",
    due: "Scadenza",
    paid: "Pagata",
    status: "Stato",
    total: "Totale",
    file: "Scarica",
    pdf: (number: string) => `Scarica ${number} in PDF`,
    none: "Ancora nessuna fattura. La prima è emessa all'inizio del primo periodo pagato.",
    noneSuch: "Nessuna fattura di questo anno e stato.",
    corrects: (number: string) => `Nota di credito di ${number}`,
    left: (amount: string) => `${amount} da pagare`,
  },
});

interface InvoiceTableProps {
  account: Account;
  invoices: readonly Invoice[];
  /** Whether these are only some of the invoices, by year or status. */
  isFiltered?: boolean;
}

export function InvoiceTable({ account, invoices, isFiltered = false }: InvoiceTableProps) {
  return (
    <Table
      caption={words().caption}
      empty={isFiltered ? words().noneSuch : words().none}
      rows={invoices}
      name={({ number }) => number}
      columns={[
        {
          head: words().number,
          cell: ({ number, corrects }) => (
            <>
              <a href={account.href("invoices", number)}>{number}</a>
              {corrects && <span class="small"> {words().corrects(corrects)}</span>}
            </>
          ),
        },
        { head: words().produced, cell: ({ produced_on }) => day(produced_on) },
        { head: words().due, cell: ({ due_on }) => day(due_on) },
        { head: words().paid, cell: ({ paid_on }) => (paid_on ? day(paid_on) : "–") },
        { head: words().status, cell: (invoice) => <StatusOf invoice={invoice} /> },
        { head: words().total, isNumber: true, cell: ({ total }) => money(total) },
        {
          head: words().file,
          cell: ({ number }) => (
            <DocumentButton account={account.id} number={number} kind="pdf" label="PDF" title={words().pdf(number)} />
          ),
        },
      ]}
    />
  );
}

function StatusOf({ invoice: { status, left, total } }: { invoice: Invoice }) {
  return (
    <>
      <Tag status={status} />
      {left.amount > 0 && left.amount < total.amount && <span class="small"> {words().left(money(left))}</span>}
    </>
  );
}

export function Tag({ status }: { status: View<"InvoiceStatus"> }) {
  return <span class={`tag ${status}`}>{statuses()[status]}</span>;
}
