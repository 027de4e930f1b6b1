/** All invoices of an account, and one of them with the derivation of each line. */

import { useEffect, useState } from "preact/hooks";
import type { ScreenProps } from "./load";
import { answer, api, type Problem, type View } from "../api";
import { instant } from "../format";
import { both, language } from "../language";
import { save } from "../parts/download";
import { Field } from "../parts/form";
import { InvoiceTable } from "../parts/invoices";
import { Load, problemOf, ProblemNote, useLoad } from "../parts/load";
import { Pages } from "../parts/pages";
import { lazyScreen } from "../parts/lazy";
import { PAST_DUE } from "../route";
import { screens, statuses } from "../words/common";
import { Upcoming } from "../parts/upcoming";

const words = both({
  en: {
    year: "Year",
    every: "All years",
    status: "Status",
    any: "Every status",
    csv: "Table (CSV)",
    archiveOf: (year: number) => `All documents of ${year} (ZIP)`,
    preparing: "The archive is being prepared. You may leave this page: a mail comes when it is ready.",
    ready: (until: string) => `The archive is ready until ${until}:`,
    open: "download it",
    coming: "The next invoice, as it would be today",
  },
  it: {
    year: "Anno",
    every: "Tutti gli anni",
    status: "Stato",
    any: "Ogni stato",
    csv: "Tabella (CSV)",
    archiveOf: (year: number) => `Tutti i documenti del ${year} (ZIP)`,
    preparing: "L'archivio è in preparazione. Potete lasciare la pagina: quando è pronto arriva un'e-mail.",
    ready: (until: string) => `L'archivio è pronto fino al ${until}:`,
    open: "scaricatelo",
    coming: "La prossima fattura, come sarebbe oggi",
  },
});

const One = lazyScreen(() => import("./invoice"));

export default function Invoices({ account, rest: [number] }: ScreenProps) {
  if (number && number !== PAST_DUE) return <One account={account} number={number} />;
  return <All account={account} asked={number ? { year: null, status: "past_due" } : null} />;
}

interface Filter {
  year: number | null;
  status: Status | null;
}

/** What was chosen last for an account: it is still chosen when one comes back from an invoice. */
const chosen = new Map<string, Filter>();

type Status = View<"InvoiceStatus">;

function All({ account, asked }: Pick<ScreenProps, "account"> & { asked: Filter | null }) {
  const [filter, setFilter] = useState<Filter>(asked ?? chosen.get(account.id) ?? { year: null, status: null });
  const { year, status } = filter;
  const choose = (change: Partial<Filter>) => {
    const changed = { ...filter, ...change };
    chosen.set(account.id, changed);
    setFilter(changed);
  };
  useEffect(() => {
    if (asked) chosen.set(account.id, asked);
  }, []);
  const [problem, setProblem] = useState<Problem | null>(null);
  const path = { account: account.id };
  const query = { ...(year ? { year } : {}), ...(status ? { status } : {}) };
  const list = (more: object) =>
    answer(api.GET("/accounts/{account}/invoices", { params: { path, query: { ...query, ...more } } })) as Promise<
      View<"InvoicesView">
    >;
  const act = (ask: () => Promise<void>) => {
    setProblem(null);
    ask().catch((thrown: unknown) => setProblem(problemOf(thrown)));
  };
  return (
    <>
      <h1>{screens().invoices.title}</h1>
      <section class="card" aria-label={screens().invoices.title}>
        <div class="choices row">
          <Field label={words().year}>
            {(field) => (
              <select {...field} value={year ?? ""} onChange={({ currentTarget: { value } }) => choose({ year: Number(value) || null })}>
                <option value="">{words().every}</option>
                {years(account).map((each) => (
                  <option key={each} value={each}>
                    {each}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label={words().status}>
            {(field) => (
              <select
                {...field}
                value={status ?? ""}
                onChange={({ currentTarget: { value } }) => choose({ status: (value || null) as Status | null })}
              >
                <option value="">{words().any}</option>
                {Object.entries(statuses()).map(([code, name]) => (
                  <option key={code} value={code}>
                    {name}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <button
            type="button"
            onClick={() =>
              act(async () => {
                const request = api.GET("/accounts/{account}/invoices", {
                  // For the spreadsheet of this language: its decimal sign, its separator, and a byte order mark.
                  params: { path, query: { ...query, locale: language() } },
                  headers: { Accept: "text/csv" },
                  parseAs: "blob",
                });
                save((await answer(request)) as unknown as Blob, `invoices-${account.id}${year ? `-${year}` : ""}.csv`, "text/csv");
              })
            }
          >
            {words().csv}
          </button>
        </div>
        {problem && <ProblemNote problem={problem} />}
        <Pages
          keys={[account.id, year, status]}
          ask={(cursor) => list(cursor ? { limit: 50, cursor } : { limit: 50 })}
        >
          {(items) => <InvoiceTable account={account} invoices={items} isFiltered={year !== null || status !== null} />}
        </Pages>
        {year !== null && <Archive key={year} account={account} year={year} />}
      </section>
      <section class="card" aria-labelledby="coming">
        <h2 id="coming">{words().coming}</h2>
        <Upcoming account={account.id} />
      </section>
    </>
  );
}

/** The years in which there can be invoices, the newest first. */
function years({ billing }: ScreenProps["account"]): number[] {
  // Of an account on a test clock it may be a later year already.
  const last = Number(billing.value?.invoices[0]?.produced_on.slice(0, 4) ?? 0);
  const now = Math.max(new Date().getFullYear(), last);
  const start = Number(billing.value?.contract.start.slice(0, 4) ?? now);
  return Array.from({ length: Math.max(1, now - start + 1) }, (_, back) => now - back);
}

const POLLED = 3000;

/** All documents of a year in one file, which a worker makes. */
function Archive({ account, year }: Pick<ScreenProps, "account"> & { year: number }) {
  const params = { path: { account: account.id }, query: { year } };
  const archive = useLoad(
    () => answer(api.GET("/accounts/{account}/invoices/archive", { params })),
    [account.id, year],
  );
  const isPreparing = archive.value?.status === "preparing";
  useEffect(() => {
    if (!isPreparing) return;
    const timer = setInterval(archive.reload, POLLED);
    return () => clearInterval(timer);
  }, [isPreparing]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ask = () => {
    setProblem(null);
    answer(api.POST("/accounts/{account}/invoices/archive", { params })).then(archive.set, (thrown: unknown) =>
      setProblem(problemOf(thrown)),
    );
  };
  const zone = account.billing.value?.contract.time_zone ?? "UTC";
  return (
    <Load of={archive}>
      {({ status, link, until }) => (
        <div role="status">
          {problem && <ProblemNote problem={problem} />}
          {status === "preparing" && <p>{words().preparing}</p>}
          {status === "ready" && link && until && (
            <p>
              {words().ready(instant(until, zone))} <a href={link}>{words().open}</a>
            </p>
          )}
          {(status === "none" || status === "expired") && (
            <p>
              <button type="button" onClick={ask}>
                {words().archiveOf(year)}
              </button>
            </p>
          )}
        </div>
      )}
    </Load>
  );
}

