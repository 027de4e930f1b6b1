/** What matters now: the next charge, how full each tier is, the last decision, and what needs doing. */

import type { ScreenProps } from "./load";
import { answer, api, type View } from "../api";
import { day, money, month, number, percent } from "../format";
import { both } from "../language";
import { Load, useLoad } from "../parts/load";
import { Meter } from "../parts/meter";
import { named, namedAs, volume } from "../parts/subscription";
import { Tag } from "../parts/invoices";
import { explained } from "../words/explanations";
import { accountStatuses, screens } from "../words/common";

const words = both({
  en: {
    next: "Next charge",
    on: (on: string) => `on ${on}`,
    with: { card: "by card", sepa_debit: "by SEPA direct debit", bank_transfer: "by bank transfer" },
    nothing: "No charge is to come.",
    toBilling: "To billing",
    usage: "This month",
    used: (used: string) => `${used} so far`,
    average: (average: string) => `Three-month average: ${average}`,
    forecast: (expected: string, low: string, high: string) => `Expected by the end of the month: ${expected} (${low} to ${high})`,
    noUsage: "No usage has been reported yet.",
    toUsage: "To usage",
    decision: "Last decision about your tiers",
    noDecision: "None yet. Each month is judged once it has closed.",
    toDecisions: "To all decisions",
    last: "Last invoice",
    noInvoice: "No invoice yet.",
    toInvoices: "To all invoices",
    subscription: "Subscription",
    noProduct: "The subscription has no product.",
  },
  it: {
    next: "Prossimo addebito",
    on: (on: string) => `il ${on}`,
    with: { card: "con carta", sepa_debit: "con addebito diretto SEPA", bank_transfer: "con bonifico" },
    nothing: "Non è previsto nessun addebito.",
    toBilling: "Alla fatturazione",
    usage: "Questo mese",
    used: (used: string) => `finora ${used}`,
    average: (average: string) => `Media di tre mesi: ${average}`,
    forecast: (expected: string, low: string, high: string) => `Previsto a fine mese: ${expected} (da ${low} a ${high})`,
    noUsage: "Non è ancora stato registrato alcun utilizzo.",
    toUsage: "All'utilizzo",
    decision: "Ultima decisione sulle fasce",
    noDecision: "Ancora nessuna. Ogni mese è valutato dopo la sua chiusura.",
    toDecisions: "A tutte le decisioni",
    last: "Ultima fattura",
    noInvoice: "Ancora nessuna fattura.",
    toInvoices: "A tutte le fatture",
    subscription: "Abbonamento",
    noProduct: "L'abbonamento non ha prodotti.",
  },
});

export default function Overview({ account }: ScreenProps) {
  const path = { account: account.id };
  const usage = useLoad(
    () => answer(api.GET("/accounts/{account}/usage", { params: { path, query: { by: "month" } } })) as Promise<View<"UsageView">>,
    [account.id],
  );
  const decisions = useLoad(
    () => answer(api.GET("/accounts/{account}/autoscaling", { params: { path, query: { limit: 1 } } })),
    [account.id],
  );
  return (
    <>
      <h1>
        <bdi>{account.name}</bdi>
      </h1>
      <div class="grid">
        <Load of={account.billing}>{(page) => <Charge page={page} account={account} />}</Load>
        <section class="card" aria-labelledby="usage">
          <h2 id="usage">{words().usage}</h2>
          <Load of={usage}>{({ products }) => <Standings products={products} lines={account.billing.value?.subscription.lines ?? []} />}</Load>
          <p>
            <a href={account.href("usage")}>{words().toUsage}</a>
          </p>
        </section>
        <section class="card" aria-labelledby="decision">
          <h2 id="decision">{words().decision}</h2>
          <Load of={decisions}>
            {({ items: [last] }) =>
              last ? (
                <p>
                  <strong>{productOf(account, last.product)}</strong>, {month(last.month)}: {explained(last)}
                </p>
              ) : (
                <p>{words().noDecision}</p>
              )
            }
          </Load>
          <p>
            <a href={account.href("decisions")}>{words().toDecisions}</a>
          </p>
        </section>
      </div>
    </>
  );
}

/** The name of a product of the subscription; the code of one that is not part of it any more. */
function productOf(account: ScreenProps["account"], code: string): string {
  const line = account.billing.value?.subscription.lines.find(({ product }) => product === code);
  return line ? named(line).name : code;
}

function Charge({ page, account }: { page: View<"BillingPageView">; account: ScreenProps["account"] }) {
  const { next_charge: next, method } = page.payment_details;
  const [last] = page.invoices;
  return (
    <>
      <section class="card" aria-labelledby="next">
        <h2 id="next">{words().next}</h2>
        {next ? (
          <>
            <p class="big">{money(next.total)}</p>
            <p>
              {words().on(day(next.on, "long"))} {method && words().with[method]}
            </p>
          </>
        ) : (
          <p>{words().nothing}</p>
        )}
        <p>
          <a href={account.href("billing")}>{words().toBilling}</a>
        </p>
      </section>
      <section class="card" aria-labelledby="subscription">
        <div class="head">
          <h2 id="subscription">{words().subscription}</h2>
          <span class="small">{accountStatuses()[page.status]}</span>
        </div>
        {!page.subscription.lines.length && <p class="empty">{words().noProduct}</p>}
        <ul class="people">
          {page.subscription.lines.map(named).map(({ product, name, up_to, unit }) => (
            <li key={product}>
              {name}: {volume(up_to, unit)}
            </li>
          ))}
        </ul>
      </section>
      <section class="card" aria-labelledby="last">
        <h2 id="last">{words().last}</h2>
        {last ? (
          <p>
            <a href={account.href("invoices", last.number)}>{last.number}</a> · {day(last.produced_on)} · {money(last.total)}{" "}
            <Tag status={last.status} />
          </p>
        ) : (
          <p class="empty">{words().noInvoice}</p>
        )}
        <p>
          <a href={account.href("invoices")}>{words().toInvoices}</a>
        </p>
      </section>
    </>
  );
}

interface StandingsProps {
  products: View<"StandingView">[];
  lines: readonly View<"LineView">[];
}

function Standings({ products, lines }: StandingsProps) {
  if (!products.length) return <p class="empty">{words().noUsage}</p>;
  return (
    <>
      {products.map((each) => namedAs(lines, each)).map(({ product, name, unit, up_to, running, average, forecast }) => (
        <div key={product}>
          <h3>{name}</h3>
          <Meter label={`${name}: ${screens().usage.title}`} used={running.percent}>
            {words().used(`${number(running.usage)} ${unit}`)}
            {running.percent !== null && up_to !== null && ` · ${percent(running.percent)}`}
          </Meter>
          {average !== null && <p class="small">{words().average(number(average))}</p>}
          {forecast && (
            <p class="small">
              {words().forecast(number(forecast.running.expected), number(forecast.running.low), number(forecast.running.high))}
            </p>
          )}
        </div>
      ))}
    </>
  );
}
