/** What has happened in the account, newest first: who did what, with the values before and after. */

import type { ScreenProps } from "./load";
import { answer, api, type View } from "../api";
import { instant, money } from "../format";
import { both } from "../language";
import { useLoad } from "../parts/load";
import { Pages } from "../parts/pages";
import { Table } from "../parts/table";
import { screens } from "../words/common";
import { eventName } from "../words/events";

type Event = View<"EventView">;

const words = both({
  en: {
    intro: "Everything that is changed in your account is recorded here, and can be changed by nobody.",
    none: "Nothing has happened yet.",
    when: "When",
    what: "What",
    who: "Who",
    details: "Values",
    show: "Values",
    showBoth: "Before and after",
    field: "Field",
    before: "Before",
    after: "After",
    actors: { staff: "Our staff", customer: "A user of your account", system: "By itself" },
  },
  it: {
    intro: "Tutto ciò che cambia nel vostro account è registrato qui, e nessuno può modificarlo.",
    none: "Non è ancora successo nulla.",
    when: "Quando",
    what: "Che cosa",
    who: "Chi",
    details: "Valori",
    show: "Valori",
    showBoth: "Prima e dopo",
    field: "Campo",
    before: "Prima",
    after: "Dopo",
    actors: { staff: "Il nostro personale", customer: "Un utente del vostro account", system: "Automatico" },
  },
});

export default function Log({ account }: ScreenProps) {
  const path = { account: account.id };
  const users = useLoad(() => answer(api.GET("/accounts/{account}/users", { params: { path } })), [account.id]);
  const names = new Map(users.value?.items.map(({ user, name }) => [user, name]));
  const zone = account.billing.value?.contract.time_zone ?? "UTC";
  const text = words();
  const actor = ({ actor: { kind, user } }: Event) => (user && names.get(user)) || text.actors[kind];
  return (
    <>
      <h1>{screens().log.title}</h1>
      <p>{text.intro}</p>
      <section class="card" aria-label={screens().log.title}>
        <Pages
          keys={[account.id]}
          ask={(cursor) =>
            answer(api.GET("/accounts/{account}/events", { params: { path, query: cursor ? { cursor, limit: 50 } : { limit: 50 } } }))
          }
        >
          {(events) => (
            <Table
              caption={screens().log.title}
              empty={text.none}
              rows={events}
              name={({ event }) => event}
              columns={[
                { head: text.when, cell: ({ time }) => instant(time, zone) },
                { head: text.what, cell: ({ type }) => eventName(type) },
                { head: text.who, cell: (event) => <bdi>{actor(event)}</bdi> },
                {
                  head: text.details,
                  cell: ({ before, after }) =>
                    (before || after) && (
                      <details>
                        <summary>{before && after ? text.showBoth : text.show}</summary>
                        <Values before={before} after={after} />
                      </details>
                    ),
                },
              ]}
            />
          )}
        </Pages>
      </section>
    </>
  );
}

/** The fields of an event by their names in the API, with their values before and after. */
function Values({ before, after }: Pick<Event, "before" | "after">) {
  const text = words();
  const [was, is] = [flat(before), flat(after)];
  const rows = [...new Set([...was.keys(), ...is.keys()])];
  const value = (found: Map<string, string>) => (field: string) => <bdi>{found.get(field) ?? "–"}</bdi>;
  return (
    <Table
      caption={text.details}
      empty="–"
      rows={rows}
      name={(field) => field}
      columns={[
        { head: text.field, cell: (field) => <code>{field}</code> },
        ...(before ? [{ head: text.before, cell: value(was) }] : []),
        ...(after ? [{ head: text.after, cell: value(is) }] : []),
      ]}
    />
  );
}

/** Each value by its path, such as `lines.1.description`. What is null or empty has no row of its own. */
function flat(value: unknown, path = ""): Map<string, string> {
  if (value === null || value === undefined) return new Map();
  if (typeof value !== "object") return new Map([[path, String(value)]]);
  if ("amount" in value && "currency" in value && typeof value.amount === "number" && typeof value.currency === "string") {
    return new Map([[path, money({ amount: value.amount, currency: value.currency })]]);
  }
  const numbered = Array.isArray(value) ? value.map((each, place) => [String(place + 1), each] as const) : Object.entries(value);
  return new Map(numbered.flatMap(([name, each]) => [...flat(each, path ? `${path}.${name}` : name)]));
}
