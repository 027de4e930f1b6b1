/** The lines of an invoice, each with how it came to its amount. */

import type { View } from "../api";
import { href } from "../route";
import { day, lastDay, money, number, percent } from "../format";
import { both } from "../language";
import { discountSaid } from "./subscription";

type Line = View<"InvoiceLineView">;
type Step = View<"StepView">;

const words = both({
  en: {
    caption: "Lines of the invoice",
    what: "What",
    how: "How it is computed",
    net: "Net",
    step: (months: number, since: string, until: string) =>
      `${since} to ${until}: ${months === 1 ? "1 month" : `${number(months)} months`}`,
    upTo: (volume: string) => `up to ${volume}`,
    at: (price: string) => `at ${price} per month`,
    instead: "Instead of what was invoiced:",
    why: "why this tier",
    sum: "Sum before tax",
    tax: (rate: string) => `Tax, ${rate}`,
    total: "Total",
    credit: "Paid with credit",
    due: "To pay",
  },
  it: {
    caption: "Righe della fattura",
    what: "Che cosa",
    how: "Come si calcola",
    net: "Netto",
    step: (months: number, since: string, until: string) =>
      `dal ${since} al ${until}: ${months === 1 ? "1 mese" : `${number(months)} mesi`}`,
    upTo: (volume: string) => `fino a ${volume}`,
    at: (price: string) => `a ${price} al mese`,
    instead: "Invece di quanto fatturato:",
    why: "perché questa fascia",
    sum: "Somma prima delle imposte",
    tax: (rate: string) => `Imposta, ${rate}`,
    total: "Totale",
    credit: "Pagato con il credito",
    due: "Da pagare",
  },
});

type Sums = Pick<View<"PreviewView">, "lines" | "net" | "tax" | "total" | "credit" | "due">;

export function Lines({ account, of }: { account: string; of: Sums }) {
  const text = words();
  return (
    <table role="table" class="cards">
      <caption class="unseen">{text.caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col">
            {text.what}
          </th>
          <th role="columnheader" scope="col">
            {text.how}
          </th>
          <th role="columnheader" scope="col" class="number">
            {text.net}
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {of.lines.map((line, place) => (
          <tr key={place} role="row">
            <td role="cell" data-head={text.what}>
              <span class="typed">{line.description}</span>
            </td>
            <td role="cell" data-head={text.how}>
              <Derivation account={account} line={line} />
            </td>
            <td role="cell" data-head={text.net} class="number">
              <span>{money(line.net)}</span>
            </td>
          </tr>
        ))}
      </tbody>
      <tfoot role="rowgroup">
        <Sum name={text.sum} value={money(of.net)} />
        <Sum name={text.tax(percent(of.tax.rate, 2))} value={money(of.tax.amount)} note={of.tax.sentence} />
        <Sum name={text.total} value={money(of.total)} />
        {of.credit.amount !== 0 && <Sum name={text.credit} value={money(of.credit)} />}
        {of.credit.amount !== 0 && <Sum name={text.due} value={money(of.due)} />}
      </tfoot>
    </table>
  );
}

function Sum({ name, value, note }: { name: string; value: string; note?: string | null }) {
  return (
    <tr role="row">
      <th role="rowheader" scope="row" colSpan={2}>
        {name}
        {note && <span class="small"> {note}</span>}
      </th>
      <td role="cell" class="number">
        {value}
      </td>
    </tr>
  );
}

function Derivation({ account, line }: { account: string; line: Line }) {
  return (
    <div class="small typed">
      {line.steps.map((step) => (
        <StepSaid key={step.since} account={account} step={step} isPriced={line.product !== null} />
      ))}
      {line.instead_of.length > 0 && <div>{words().instead}</div>}
      {line.instead_of.map((step) => (
        <StepSaid key={step.since} account={account} step={step} isPriced={line.product !== null} />
      ))}
    </div>
  );
}

/** What is taken off the whole has no price of its own. */
function StepSaid({ account, step, isPriced }: { account: string; step: Step; isPriced: boolean }) {
  const text = words();
  const tier = step.up_to === null ? null : text.upTo(number(step.up_to));
  const said = [text.step(step.months, day(step.since), lastDay(step.until)), tier, isPriced && text.at(money(step.price))];
  return (
    <div>
      {said.filter(Boolean).join(", ")}
      {step.discounts.map((each) => ` ${discountSaid(each)}`)}
      {step.decision && (
        <>
          {" "}
          (<a href={href(account, "decisions")}>{text.why}</a>)
        </>
      )}
    </div>
  );
}
