/** Usage: each product against its tier, over months or days, by store and content, with what does not count named. */

import { useRef, useState } from "preact/hooks";
import type { ScreenProps } from "./load";
import { answer, api, Problem, type View } from "../api";
import { day, instant, month, number, percent } from "../format";
import { both, locale } from "../language";
import { Chart, type Line } from "../parts/chart";
import { save } from "../parts/download";
import { Load, problemOf, ProblemNote, useLoad } from "../parts/load";
import { Meter } from "../parts/meter";
import { volume } from "../parts/subscription";
import { Facts, Table } from "../parts/table";
import { screens } from "../words/common";

type Usage = View<"UsageView">;
type Standing = View<"StandingView">;
type Series = View<"SeriesView">;
type Decision = View<"AutoscalingDecisionView">;

const words = both({
  en: {
    range: "Range",
    months: "13 months",
    days: "Last 60 days",
    group: "By",
    groups: { product: "product", store: "store", content: "content" },
    csv: "Table (CSV)",
    tier: "Tier",
    thisMonth: "This month so far",
    average: "Average of the last three months",
    ofTier: (share: string) => `${share} of the tier`,
    expected: "Expected this month",
    coming: "Expected next month",
    range3: (expected: string, low: string, high: string) => `${expected} (${low} to ${high})`,
    full: "What happens when a tier is full? Nothing stops. If usage has really grown, the account moves to the tier that fits, and you get a mail. A peak such as Black Friday moves nobody.",
    limit: "tier",
    mark: (share: string) => share,
    averageLine: "average",
    chart: (product: string) => `${product}: usage over time, with the tier`,
    figures: "The figures",
    period: "Period",
    used: "Used",
    peak: "Peak",
    isPeak: "yes: it does not count in full",
    corrected: "Corrected by",
    store: "Store",
    content: "Content",
    parts: "Largest first",
    total: "Total",
    none: "No usage has been reported in this range. Your product reports it by itself; it appears here within a minute.",
    empty: "The account has no product.",
    leftOut: "What the last decision left out",
    peakReason: "a peak",
    knownReason: "a peak that your customer success manager knows of",
    zone: (zone: string) => `Days and months are those of ${zone}.`,
    corrections: "Corrections",
    correctionSaid: (on: string, quantity: string, reason: string) => `${on}: ${quantity} (${reason})`,
    lower: "Use less",
    rest: "without a name",
    others: (count: string) => `${count} smaller ones`,
    showMore: "Show more",
    noForecast: "not enough days of usage yet",
    peaksUnknown: "What does not count in full cannot be shown at the moment:",
    day: "Day",
    counts: "Counts",
    why: "Why",
  },
  it: {
    range: "Periodo",
    months: "13 mesi",
    days: "Ultimi 60 giorni",
    group: "Per",
    groups: { product: "prodotto", store: "negozio", content: "contenuto" },
    csv: "Tabella (CSV)",
    tier: "Fascia",
    thisMonth: "Questo mese finora",
    average: "Media degli ultimi tre mesi",
    ofTier: (share: string) => `${share} della fascia`,
    expected: "Previsto per questo mese",
    coming: "Previsto per il mese prossimo",
    range3: (expected: string, low: string, high: string) => `${expected} (da ${low} a ${high})`,
    full: "Che cosa succede quando una fascia è piena? Nulla si ferma. Se l'utilizzo è davvero cresciuto, l'account passa alla fascia adatta e ricevete un'e-mail. Un picco come il Black Friday non sposta nessuno.",
    limit: "fascia",
    mark: (share: string) => share,
    averageLine: "media",
    chart: (product: string) => `${product}: utilizzo nel tempo, con la fascia`,
    figures: "Le cifre",
    period: "Periodo",
    used: "Usato",
    peak: "Picco",
    isPeak: "sì: non conta per intero",
    corrected: "Corretto di",
    store: "Negozio",
    content: "Contenuto",
    parts: "Prima i più grandi",
    total: "Totale",
    none: "In questo periodo non è stato registrato alcun utilizzo. Il vostro prodotto lo registra da solo; appare qui entro un minuto.",
    empty: "L'account non ha prodotti.",
    leftOut: "Che cosa non è stato contato nell'ultima decisione",
    peakReason: "un picco",
    knownReason: "un picco noto al vostro customer success manager",
    zone: (zone: string) => `Giorni e mesi sono quelli di ${zone}.`,
    corrections: "Correzioni",
    correctionSaid: (on: string, quantity: string, reason: string) => `${on}: ${quantity} (${reason})`,
    lower: "Ridurre l'utilizzo",
    rest: "senza nome",
    others: (count: string) => `${count} più piccoli`,
    showMore: "Mostra altro",
    noForecast: "i giorni di utilizzo sono ancora troppo pochi",
    peaksUnknown: "Che cosa non conta per intero ora non può essere mostrato:",
    day: "Giorno",
    counts: "Conta",
    why: "Perché",
  },
});

type By = "month" | "day";
type Grouping = View<"Grouping">;
const GROUPINGS: readonly Grouping[] = ["product", "store", "content"];
const DAYS = 60;
/** In milliseconds. */
const DAY = 86_400_000;

export default function UsageScreen({ account }: ScreenProps) {
  const [by, setBy] = useState<By>("month");
  const [group, setGroup] = useState<Grouping>("product");
  const [problem, setProblem] = useState<Problem | null>(null);
  const path = { account: account.id };
  // Without a range the API begins three months ago.
  const today = useRef(localDay());
  const ranged = async <T,>(ask: (query: { by: By; group_by: Grouping; from: string }) => Promise<T>): Promise<T> => {
    const query = () => ({ by, group_by: group, from: (by === "month" ? monthsBefore : daysBefore)(today.current) });
    try {
      return await ask(query());
    } catch (thrown) {
      if (!(thrown instanceof Problem && thrown.status === 422)) throw thrown;
      // An account on a test clock has a day of its own, which ends every answer: the range may be too long for it.
      const { until } = (await answer(api.GET("/accounts/{account}/usage", { params: { path } }))) as Usage;
      today.current = dayBefore(until);
      return await ask(query());
    }
  };
  const usage = useLoad(
    () => ranged((query) => answer(api.GET("/accounts/{account}/usage", { params: { path, query } })) as Promise<Usage>),
    [account.id, by, group],
  );
  const decisions = useLoad(
    () => answer(api.GET("/accounts/{account}/autoscaling", { params: { path, query: { limit: 100 } } })),
    [account.id],
  );
  const table = async () => {
    setProblem(null);
    try {
      const text = await ranged((query) =>
        answer(
          api.GET("/accounts/{account}/usage", { params: { path, query }, headers: { Accept: "text/csv" }, parseAs: "text" }),
        ),
      );
      save(String(text), `usage-${account.id}.csv`, "text/csv");
    } catch (thrown) {
      setProblem(problemOf(thrown));
    }
  };
  return (
    <>
      <h1>{screens().usage.title}</h1>
      <div class="card">
        <div class="choices row">
          <Choice legend={words().range} name="by" value={by} onChange={setBy} options={[["month", words().months], ["day", words().days]]} />
          <Choice
            legend={words().group}
            name="group"
            value={group}
            onChange={setGroup}
            options={GROUPINGS.map((each) => [each, words().groups[each]])}
          />
          <button type="button" onClick={table}>
            {words().csv}
          </button>
          <a class="button" href={account.href("reduction")}>
            {words().lower}
          </a>
        </div>
        {problem && <ProblemNote problem={problem} />}
        <p class="small">{words().full}</p>
      </div>
      <Load of={usage}>
        {(found) => (
          <>
            {decisions.problem && (
              <>
                <p>{words().peaksUnknown}</p>
                <ProblemNote problem={decisions.problem} again={decisions.reload} />
              </>
            )}
            {!found.products.length && <p class="empty">{words().empty}</p>}
            {found.products.map((product) => (
              <Product
                key={product.product}
                of={product}
                usage={found}
                decision={decisions.value?.items.find((each) => each.product === product.product) ?? null}
                stores={new Map(account.billing.value?.stores.map(({ store, name }) => [store, name]))}
              />
            ))}
            <p class="small">{words().zone(found.time_zone)}</p>
          </>
        )}
      </Load>
    </>
  );
}

interface ChoiceProps<T extends string> {
  legend: string;
  name: string;
  value: T;
  onChange: (value: T) => void;
  options: readonly (readonly [T, string])[];
}

function Choice<T extends string>({ legend, name, value, onChange, options }: ChoiceProps<T>) {
  return (
    <fieldset class="choices row">
      <legend class="unseen">{legend}</legend>
      <span aria-hidden="true">{legend}:</span>
      {options.map(([each, text]) => (
        <label key={each}>
          <input type="radio" name={name} checked={each === value} onChange={() => onChange(each)} /> {text}
        </label>
      ))}
    </fieldset>
  );
}

interface ProductProps {
  of: Standing;
  usage: Usage;
  decision: Decision | null;
  stores: Map<string, string>;
}

function Product({ of, usage, decision, stores }: ProductProps) {
  const text = words();
  const series = usage.series.filter(({ product }) => product === of.product);
  const periods = summed(series);
  const isMonths = usage.by === "month";
  const named = (period: string) => (isMonths ? month(period, "short") : day(period));
  const running = of.running.month;
  // How much of a day did not count.
  const leftOut = new Map(decision?.left_out.map(({ day: on, usage: used, counted }) => [on, Number(used) - Number(counted)]));
  return (
    <section class="card" aria-labelledby={`of-${of.product}`}>
      <h2 id={`of-${of.product}`}>{of.name}</h2>
      <Meter label={`${of.name}: ${text.thisMonth}`} used={of.running.percent}>
        {text.thisMonth}: {number(of.running.usage)} {of.unit}
        {of.running.percent !== null && ` · ${text.ofTier(percent(of.running.percent))}`}
      </Meter>
      <Facts
        facts={[
          [text.tier, volume(of.up_to, of.unit)],
          [
            text.average,
            of.average !== null &&
              `${number(of.average)}${of.average_percent === null ? "" : ` · ${text.ofTier(percent(of.average_percent))}`}`,
          ],
          [text.expected, of.forecast ? expectation(of.forecast.running) : text.noForecast],
          [text.coming, of.forecast && expectation(of.forecast.coming)],
        ]}
      />
      {periods.length ? (
        <>
          <Chart
            title={text.chart(of.name)}
            columns={periods.map(({ period, usage: used }) => ({
              key: period,
              label: isMonths ? month(period, "short") : shortDay(period),
              value: Number(used),
              hatched: isMonths ? 0 : (leftOut.get(period) ?? 0),
              isRunning: isMonths && period.startsWith(running),
            }))}
            lines={isMonths ? linesOf(of) : []}
          />
          <details>
            <summary>{text.figures}</summary>
            <Table
              caption={text.figures}
              empty={text.none}
              rows={periods}
              name={({ period }) => period}
              columns={[
                { head: text.period, cell: ({ period }) => named(period) },
                { head: text.used, isNumber: true, cell: ({ usage: used }) => number(used) },
                ...(isMonths ? [] : [{ head: text.peak, cell: ({ peak }: Period) => (peak ? text.isPeak : "–") }]),
                { head: text.corrected, isNumber: true, cell: ({ corrected }) => (corrected === null ? "–" : number(corrected)) },
              ]}
            />
          </details>
          {usage.group_by !== "product" && <Parts series={series} stores={stores} isContent={usage.group_by === "content"} />}
        </>
      ) : (
        <p class="empty">{text.none}</p>
      )}
      {decision && decision.left_out.length > 0 && (
        <details>
          <summary>{text.leftOut}</summary>
          <Table
            caption={text.leftOut}
            empty="–"
            rows={decision.left_out}
            name={({ day: on }) => on}
            columns={[
              { head: text.day, cell: ({ day: on }) => day(on) },
              { head: text.used, isNumber: true, cell: ({ usage: used }) => number(used) },
              { head: text.counts, isNumber: true, cell: ({ counted }) => number(counted) },
              { head: text.why, cell: ({ reason }) => (reason === "peak" ? text.peakReason : text.knownReason) },
            ]}
          />
        </details>
      )}
      <Corrections of={usage.corrections.filter(({ product }) => product === of.product)} zone={usage.time_zone} />
    </section>
  );
}

function expectation({ expected, low, high }: View<"ExpectationView">): string {
  return words().range3(number(expected), number(low), number(high));
}

function linesOf({ up_to: limit, average }: Standing): Line[] {
  const lines: Line[] = [];
  if (limit !== null) {
    lines.push({ label: `${words().limit}: ${number(limit)}`, value: limit, kind: "limit" });
    for (const share of [0.75, 0.9]) lines.push({ label: percent(share * 100), value: limit * share, kind: "mark" });
  }
  if (average !== null) lines.push({ label: `${words().averageLine}: ${number(average)}`, value: Number(average), kind: "average" });
  return lines;
}

type Period = View<"PeriodView">;

/** The periods of several series, added up. Usage has few decimals, and a chart shows none. */
function summed(series: readonly Series[]): Period[] {
  const [only] = series;
  if (!only) return [];
  if (series.length === 1) return only.periods;
  const found = new Map<string, Period>();
  for (const { periods } of series) {
    for (const each of periods) {
      const before = found.get(each.period);
      found.set(each.period, before ? { ...each, usage: added(before.usage, each.usage), peak: before.peak || each.peak } : each);
    }
  }
  return [...found.values()].sort((one, other) => one.period.localeCompare(other.period));
}

/** The sum of two decimal numbers as text, without the rounding of floats. */
function added(one: string, other: string): string {
  const places = Math.max(decimals(one), decimals(other));
  const sum = String(scaled(one, places) + scaled(other, places)).padStart(places + 1, "0");
  return places ? `${sum.slice(0, -places)}.${sum.slice(-places)}` : sum;
}

function decimals(text: string): number {
  return text.split(".")[1]?.length ?? 0;
}

function scaled(text: string, places: number): bigint {
  const [whole = "0", part = ""] = text.split(".");
  return BigInt(whole + part.padEnd(places, "0"));
}

interface PartsProps {
  series: readonly Series[];
  stores: Map<string, string>;
  isContent: boolean;
}

/** How many parts are shown at first. */
const PARTS = 20;

function Parts({ series, stores, isContent }: PartsProps) {
  const [shown, setShown] = useState(PARTS);
  const text = words();
  const sorted = [...series].sort((one, other) => Number(other.total) - Number(one.total));
  const columns = [
    { head: text.store, cell: (of: Series) => <bdi>{partSaid(of, stores)}</bdi> },
    ...(isContent ? [{ head: text.content, cell: ({ content, parts }: Series) => <bdi>{parts > 1 ? "–" : (content ?? text.rest)}</bdi> }] : []),
    { head: text.total, isNumber: true, cell: ({ total }: Series) => number(total) },
  ];
  return (
    <>
      <h3>{text.parts}</h3>
      <Table
        caption={text.parts}
        empty={text.none}
        rows={sorted.slice(0, shown)}
        name={({ store, content, parts }) => JSON.stringify([store, content, parts])}
        columns={columns}
      />
      {sorted.length > shown && (
        <button type="button" onClick={() => setShown(shown + 100)}>
          {text.showMore}
        </button>
      )}
    </>
  );
}

/** The store of a series, or how many small series it sums up. */
function partSaid({ store, parts }: Series, stores: Map<string, string>): string {
  if (parts > 1) return words().others(number(parts));
  return store === null ? words().rest : (stores.get(store) ?? store);
}

function Corrections({ of, zone }: { of: View<"UsageCorrectionView">[]; zone: string }) {
  if (!of.length) return null;
  return (
    <details>
      <summary>{words().corrections}</summary>
      <ul>
        {of.map(({ id, day: on, quantity, reason, made_at }) => (
          <li key={id}>
            <bdi>{words().correctionSaid(day(on), number(quantity, 6), reason)}</bdi> <span class="small">{instant(made_at, zone)}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function localDay(): Date {
  const now = new Date();
  return new Date(Date.UTC(now.getFullYear(), now.getMonth(), now.getDate()));
}

/** The first day of thirteen months that end with this day. */
function monthsBefore(today: Date): string {
  return new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() - 12, 1)).toISOString().slice(0, 10);
}

/** The first of as many days as a chart of days shows. */
function daysBefore(today: Date): string {
  return new Date(today.getTime() - (DAYS - 1) * DAY).toISOString().slice(0, 10);
}

/** A day without its year, as the axis of a chart has room for. */
function shortDay(day: string): string {
  const format = new Intl.DateTimeFormat(locale(), { day: "numeric", month: "short", timeZone: "UTC" });
  return format.format(new Date(`${day}T00:00Z`));
}

function dayBefore(day: string): Date {
  return new Date(Date.parse(`${day}T00:00Z`) - DAY);
}
