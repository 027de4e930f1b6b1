/** How to use less: which content costs most and earns least, what its removal saves, and what would be decided then. */

import { useState } from "preact/hooks";
import type { ScreenProps } from "./load";
import { answer, api, type Problem, type View } from "../api";
import { money, month, number } from "../format";
import { both } from "../language";
import { MayEdit } from "../parts/admins";
import { Load, problemOf, ProblemNote, useLoad } from "../parts/load";
import { volume } from "../parts/subscription";
import { Facts } from "../parts/table";
import { screens } from "../words/common";
import { explain, explained } from "../words/explanations";
import { fieldSaid } from "../words/problems";

type Reduction = View<"ReductionView">;
type Ranked = View<"RankedView">;

const words = both({
  en: {
    intro: "Each content is compared by what it uses and what it earns. Choose what you could do without, and see what would be decided.",
    tier: "Tier",
    lower: "Next lower tier",
    average: "Three-month average",
    without: "Average without what is advised",
    saving: "Saving per month",
    months: "Closed months",
    ranking: "Content, what earns least per usage first",
    remove: "Leave out",
    store: "Store",
    content: "Content",
    noName: "without a name",
    usage: "Usage per month",
    earned: "Earned",
    conversions: "Conversions",
    advised: "advised",
    showMore: "Show more",
    others: (count: string, whole: string) => `Shown are the ${count} that earn least, of ${whole}.`,
    try: "What would be decided without these?",
    choose: "Choose at least one content.",
    forAdmins: "Only an admin can try this.",
    counted: (month: string, usage: string) => `${month}: ${usage} would count`,
    trying: "Being computed…",
    result: "Without these",
    review: "Book a review with your customer success manager",
    nothing: "There is no product to use less of.",
    noRanking: "No usage names its content yet.",
  },
  it: {
    intro: "Ogni contenuto è confrontato per quanto usa e quanto rende. Scegliete di che cosa potreste fare a meno e vedete che cosa sarebbe deciso.",
    tier: "Fascia",
    lower: "Fascia inferiore",
    average: "Media di tre mesi",
    without: "Media senza quanto consigliato",
    saving: "Risparmio al mese",
    months: "Mesi chiusi",
    ranking: "Contenuti, prima quelli che rendono meno per utilizzo",
    remove: "Escludere",
    store: "Negozio",
    content: "Contenuto",
    noName: "senza nome",
    usage: "Utilizzo al mese",
    earned: "Resa",
    conversions: "Conversioni",
    advised: "consigliato",
    showMore: "Mostra altro",
    others: (count: string, whole: string) => `Sono mostrati i ${count} che rendono meno, di ${whole}.`,
    try: "Che cosa sarebbe deciso senza questi?",
    choose: "Scegliete almeno un contenuto.",
    forAdmins: "Solo un amministratore può provarlo.",
    counted: (month: string, usage: string) => `${month}: ne conterebbero ${usage}`,
    trying: "Calcolo in corso…",
    result: "Senza questi",
    review: "Prenotate una revisione con il vostro customer success manager",
    nothing: "Non ci sono prodotti da usare meno.",
    noRanking: "Nessun utilizzo indica ancora il suo contenuto.",
  },
});

export default function ReductionScreen({ account }: ScreenProps) {
  const found = useLoad(
    () => answer(api.GET("/accounts/{account}/usage/reduction", { params: { path: { account: account.id } } })),
    [account.id],
  );
  return (
    <>
      <h1>{screens().reduction.title}</h1>
      <p>{words().intro}</p>
      <MayEdit />
      <Load of={found}>
        {({ products }) =>
          products.length ? (
            products.map((each) => <Product key={each.product} account={account} of={each} />)
          ) : (
            <p class="empty">{words().nothing}</p>
          )
        }
      </Load>
    </>
  );
}

const SHOWN = 20;

function keyOf({ store, content }: Ranked): string {
  return JSON.stringify([store, content]);
}

function Product({ account, of }: { account: ScreenProps["account"]; of: Reduction }) {
  const text = words();
  const advised = new Set(of.remove.map(keyOf));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(advised);
  const [shown, setShown] = useState(SHOWN);
  const stores = new Map(account.billing.value?.stores.map(({ store, name }) => [store, name]));
  const toggle = (key: string) => {
    const changed = new Set(chosen);
    if (!changed.delete(key)) changed.add(key);
    setChosen(changed);
  };
  return (
    <section class="card" aria-labelledby={`of-${of.product}`}>
      <h2 id={`of-${of.product}`}>{of.name}</h2>
      <p>
        <strong>{explain(`reduction.${of.verdict}`, { months_needed: of.months_needed }, of.detail)}</strong>
      </p>
      <Facts
        facts={[
          [text.tier, tier(of.tier, of.unit)],
          [text.lower, of.lower_tier && tier(of.lower_tier, of.unit)],
          [text.months, of.months.map((each) => `${month(each.month, "short")}: ${number(each.usage)}`).join("\n") || null],
          [text.average, of.average !== null ? number(of.average) : null],
          [text.without, of.average_without !== null ? number(of.average_without) : null],
          [text.saving, of.saving_per_month && money(of.saving_per_month)],
        ]}
      />
      {of.ranking.length ? (
        <>
          <h3>{text.ranking}</h3>
          <table role="table" class="cards">
            <caption class="unseen">{text.ranking}</caption>
            <thead role="rowgroup">
              <tr role="row">
                {[text.remove, text.store, text.content].map((head) => (
                  <th key={head} role="columnheader" scope="col">
                    {head}
                  </th>
                ))}
                {[text.usage, text.conversions, text.earned].map((head) => (
                  <th key={head} role="columnheader" scope="col" class="number">
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody role="rowgroup">
              {of.ranking.slice(0, shown).map((each) => {
                const store = stores.get(each.store) ?? each.store;
                const content = each.content ?? text.noName;
                return (
                  <tr key={keyOf(each)} role="row">
                    <td role="cell" data-head={text.remove}>
                      <input
                        type="checkbox"
                        aria-label={`${text.remove}: ${store}, ${content}`}
                        checked={chosen.has(keyOf(each))}
                        onChange={() => toggle(keyOf(each))}
                      />
                    </td>
                    <td role="cell" data-head={text.store}>
                      <bdi>{store}</bdi>
                    </td>
                    <td role="cell" data-head={text.content}>
                      <span>
                        <bdi>{content}</bdi> {advised.has(keyOf(each)) && <span class="tag">{text.advised}</span>}
                      </span>
                    </td>
                    <td role="cell" class="number" data-head={text.usage}>
                      {number(each.usage_per_month)}
                    </td>
                    <td role="cell" class="number" data-head={text.conversions}>
                      {number(each.conversions)}
                    </td>
                    <td role="cell" class="number" data-head={text.earned}>
                      {each.revenue.map(money).join(", ") || "–"}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
          {of.ranked > of.ranking.length && of.ranking.length <= shown && (
            <p class="small">{text.others(number(of.ranking.length), number(of.ranked))}</p>
          )}
          {of.ranking.length > shown && (
            <p>
              <button type="button" onClick={() => setShown(shown + 100)}>
                {text.showMore}
              </button>
            </p>
          )}
          <WhatIf key={[...chosen].join()} account={account} of={of} chosen={of.ranking.filter((each) => chosen.has(keyOf(each)))} />
        </>
      ) : (
        <p class="empty">{text.noRanking}</p>
      )}
      <p>
        <a href={account.href("reviews")}>{text.review}</a>
      </p>
    </section>
  );
}

function tier({ up_to, price_per_month }: View<"PricedTierView">, unit: string): string {
  return `${volume(up_to, unit)}: ${money(price_per_month)}`;
}

interface WhatIfProps {
  account: ScreenProps["account"];
  of: Reduction;
  chosen: Ranked[];
}

/** The decision of the last closed month without the chosen content, computed by the code that decides. */
function WhatIf({ account, of, chosen }: WhatIfProps) {
  const [isBusy, setBusy] = useState(false);
  const [result, setResult] = useState<View<"AutoscalingDecisionView"> | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ask = async () => {
    setBusy(true);
    setProblem(null);
    setResult(null);
    try {
      const body = {
        product: of.product,
        month: null,
        daily: null,
        without: chosen.map(({ store, content }) => ({ store, content })),
      };
      setResult(
        await answer(api.POST("/accounts/{account}/autoscaling/simulations", { params: { path: { account: account.id } }, body })),
      );
    } catch (thrown) {
      setProblem(problemOf(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <p class="buttons">
        <button type="button" disabled={isBusy || !chosen.length || account.role === "member"} onClick={ask}>
          {isBusy ? words().trying : words().try}
        </button>
        {account.role === "member" ? (
          <span class="small">{words().forAdmins}</span>
        ) : (
          !chosen.length && <span class="small">{words().choose}</span>
        )}
      </p>
      <div role="status">
        {problem && <ProblemNote problem={problem} />}
        {problem?.errors.map((each) => (
          <p key={each.pointer} class="error">
            {fieldSaid(each)}
          </p>
        ))}
        {result && (
          <div class="note">
            <h3>{words().result}</h3>
            <p>{explained(result)}</p>
            <ul>
              {result.months.map((each) => (
                <li key={each.month}>
                  {words().counted(month(each.month), number(each.typical))}
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
    </>
  );
}

