/** Each month's decision about the tiers: what was used, what counted, what was left out, and why. */

import type { ScreenProps } from "./load";
import { answer, api, type View } from "../api";
import { day, month, number } from "../format";
import { both } from "../language";
import { useState } from "preact/hooks";
import { Pages } from "../parts/pages";
import { Facts, Table } from "../parts/table";
import { screens } from "../words/common";
import { explained } from "../words/explanations";

type Decision = View<"AutoscalingDecisionView">;

const words = both({
  en: {
    intro: "Once a month has closed, each product is judged by its last three months and weeks, without peaks. Only usage that has really grown moves you to another tier.",
    none: "No decision yet: the first is made once a month has closed.",
    outcomes: { moves: "Moves", stays: "Stays", held: "Held" },
    from: "Tier",
    to: "Moves to",
    on: "From",
    upTo: (volume: string) => `up to ${volume}`,
    unlimited: "without limit",
    figures: "The figures",
    month: "Month",
    used: "Used",
    counted: "Counted",
    days: "Days that did not count in full",
    day: "Day",
    why: "Why",
    peak: "peak",
    known_peak: "known peak",
    weeks: "Weeks above the tier",
    rule: "Version of the rule",
    settings: "What holds for your account",
    next: "Next decision",
    nextMonth: (on: string) => `at the beginning of ${on}`,
    paused: (until: string, reason: string) => `Nothing moves before ${until}: ${reason}`,
    knownPeaks: "Days that count no more than usual ones",
    all: "all products",
  },
  it: {
    intro: "Dopo la chiusura di un mese ogni prodotto è valutato sui suoi ultimi tre mesi e sulle ultime settimane, senza picchi. Solo un utilizzo davvero cresciuto vi sposta in un'altra fascia.",
    none: "Ancora nessuna decisione: la prima avviene dopo la chiusura di un mese.",
    outcomes: { moves: "Passa", stays: "Resta", held: "Sospesa" },
    from: "Fascia",
    to: "Passa a",
    on: "Dal",
    upTo: (volume: string) => `fino a ${volume}`,
    unlimited: "senza limite",
    figures: "Le cifre",
    month: "Mese",
    used: "Usato",
    counted: "Contato",
    days: "Giorni non contati per intero",
    day: "Giorno",
    why: "Perché",
    peak: "picco",
    known_peak: "picco noto",
    weeks: "Settimane sopra la fascia",
    rule: "Versione della regola",
    settings: "Che cosa vale per il vostro account",
    next: "Prossima decisione",
    nextMonth: (on: string) => `all'inizio di ${on}`,
    paused: (until: string, reason: string) => `Nulla cambia prima del ${until}: ${reason}`,
    knownPeaks: "Giorni che contano solo come quelli normali",
    all: "tutti i prodotti",
  },
});

export default function Decisions({ account }: ScreenProps) {
  const [of, setOf] = useState<View<"AutoscalingView"> | null>(null);
  const names = new Map(account.billing.value?.subscription.lines.map(({ product, name }) => [product, name]));
  return (
    <>
      <h1>{screens().decisions.title}</h1>
      <p>{words().intro}</p>
      {of && <Settings of={of} names={names} />}
      <Pages
        keys={[account.id]}
        ask={async (cursor) => {
          const found = await answer(
            api.GET("/accounts/{account}/autoscaling", {
              params: { path: { account: account.id }, query: cursor ? { cursor } : {} },
            }),
          );
          setOf(found);
          return found;
        }}
      >
        {(items) =>
          items.length ? (
            items.map((each) => <One key={each.month + each.product} of={each} name={names.get(each.product) ?? each.product} />)
          ) : (
            <p class="empty">{words().none}</p>
          )
        }
      </Pages>
    </>
  );
}

interface SettingsProps {
  of: View<"AutoscalingView">;
  names: Map<string, string>;
}

/** When the next decision is made, and what the vendor's staff have set. */
function Settings({ of: { settings, next_decision: next }, names }: SettingsProps) {
  const text = words();
  if (!next && !settings.pause && !settings.known_peaks.length) return null;
  return (
    <section class="card" aria-labelledby="settings">
      <h2 id="settings">{text.settings}</h2>
      <Facts facts={[[text.next, next && text.nextMonth(month(next))]]} />
      {settings.pause && (
        <p>
          <bdi>{text.paused(day(settings.pause.until), settings.pause.reason)}</bdi>
        </p>
      )}
      {settings.known_peaks.length > 0 && (
        <>
          <h3>{text.knownPeaks}</h3>
          <ul>
            {settings.known_peaks.map(({ day: on, product, reason }) => (
              <li key={`${on} ${product}`}>
                {day(on)}, {product === null ? text.all : (names.get(product) ?? product)}: <bdi>{reason}</bdi>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function tier(upTo: number | null): string {
  return upTo === null ? words().unlimited : words().upTo(number(upTo));
}

function One({ of, name }: { of: Decision; name: string }) {
  const text = words();
  const id = `of-${of.month}-${of.product}`;
  return (
    <section class="card" aria-labelledby={id}>
      <div class="head">
        <h2 id={id}>
          {name}, {month(of.month)}
        </h2>
        <span class="tag">{text.outcomes[of.outcome]}</span>
      </div>
      <p>{explained(of)}</p>
      <Facts
        facts={[
          [text.from, tier(of.current)],
          [text.to, of.outcome === "moves" ? tier(of.target) : null],
          [text.on, of.outcome === "moves" && of.effective_on ? day(of.effective_on) : null],
        ]}
      />
      <details>
        <summary>{text.figures}</summary>
        <Table
          caption={text.figures}
          empty="–"
          rows={of.months}
          name={(each) => each.month}
          columns={[
            { head: text.month, cell: (each) => month(each.month) },
            { head: text.used, isNumber: true, cell: (each) => number(each.usage) },
            { head: text.counted, isNumber: true, cell: (each) => number(each.typical) },
          ]}
        />
        <Facts
          facts={[
            [text.weeks, `${number(of.weeks_above)} / ${number(of.weeks.length)}`],
            [text.rule, number(of.rule_version)],
          ]}
        />
        {of.left_out.length > 0 && (
          <>
            <h3>{text.days}</h3>
            <Table
              caption={text.days}
              empty="–"
              rows={of.left_out}
              name={(each) => each.day}
              columns={[
                { head: text.day, cell: (each) => day(each.day) },
                { head: text.used, isNumber: true, cell: (each) => number(each.usage) },
                { head: text.counted, isNumber: true, cell: (each) => number(each.counted) },
                { head: text.why, cell: (each) => text[each.reason] },
              ]}
            />
          </>
        )}
      </details>
    </section>
  );
}
