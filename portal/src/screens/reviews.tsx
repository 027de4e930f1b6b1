/** Reviews with the customer success manager: what is still missing for one, free times, and those that were. */

import { useEffect, useState } from "preact/hooks";
import type { ScreenProps } from "./load";
import { answer, api, type Problem, type View } from "../api";
import { config } from "../config";
import { day, instant, number } from "../format";
import { both, locale } from "../language";
import { MayEdit } from "../parts/admins";
import { Load, problemOf, ProblemNote, useLoad } from "../parts/load";
import { Pages } from "../parts/pages";
import { People } from "../parts/people";
import { Table } from "../parts/table";
import { Told } from "../parts/told";
import { screens } from "../words/common";
import { explain } from "../words/explanations";

const words = both({
  en: {
    intro: "If the average of three closed months fits a lower tier, you and your customer success manager look at it together, and they may move you to it from the next renewal.",
    manager: "Your customer success manager",
    noManager: "Nobody has been appointed yet.",
    ask: "Ask us",
    book: "Book a review",
    missing: "What is still missing",
    progress: (below: string, needed: string) => `${below} of ${needed} months`,
    zones: (own: string, theirs: string) => `Times are those of ${own}. Your manager is in ${theirs}.`,
    zone: (own: string) => `Times are those of ${own}.`,
    noSlots: "There is no free time in the next days. Try again later, or write to your manager.",
    send: "Book this time",
    booked: "The review is booked. An invitation to the calendar comes by mail.",
    past: "Your reviews",
    none: "No review yet.",
    when: "When",
    status: "Status",
    place: "Place",
    result: "Result",
    statuses: { booked: "Booked", cancelled: "Cancelled", applied: "Lower tier", declined: "No lower tier" },
    cancel: "Cancel this review",
    appliedFrom: (on: string) => `Lower tier from ${on}`,
    already: "A review is booked already; see below. To choose another time, cancel it first.",
    cancelled: "The review is cancelled, and its time is free again.",
  },
  it: {
    intro: "Se la media di tre mesi chiusi rientra in una fascia inferiore, la guardate insieme al vostro customer success manager, che può spostarvi in quella fascia dal prossimo rinnovo.",
    manager: "Il vostro customer success manager",
    noManager: "Nessuno è stato ancora nominato.",
    ask: "Chiedetecelo",
    book: "Prenotate una revisione",
    missing: "Che cosa manca ancora",
    progress: (below: string, needed: string) => `${below} di ${needed} mesi`,
    zones: (own: string, theirs: string) => `Gli orari sono quelli di ${own}. Il vostro manager è in ${theirs}.`,
    zone: (own: string) => `Gli orari sono quelli di ${own}.`,
    noSlots: "Nei prossimi giorni non ci sono orari liberi. Riprovate più tardi, o scrivete al vostro manager.",
    send: "Prenotate questo orario",
    booked: "La revisione è prenotata. Un invito per il calendario arriva per e-mail.",
    past: "Le vostre revisioni",
    none: "Ancora nessuna revisione.",
    when: "Quando",
    status: "Stato",
    place: "Luogo",
    result: "Risultato",
    statuses: { booked: "Prenotata", cancelled: "Annullata", applied: "Fascia inferiore", declined: "Nessuna fascia inferiore" },
    cancel: "Annullate questa revisione",
    appliedFrom: (on: string) => `Fascia inferiore dal ${on}`,
    already: "Una revisione è già prenotata; vedete sotto. Per scegliere un altro orario, prima annullatela.",
    cancelled: "La revisione è annullata, e il suo orario è di nuovo libero.",
  },
});

export default function Reviews({ account }: ScreenProps) {
  const [changes, setChanges] = useState(0);
  const [told, setTold] = useState<string | null>(null);
  const [isBooked, setBooked] = useState(false);
  const changed = (words: string) => {
    setTold(words);
    setChanges(changes + 1);
  };
  const path = { account: account.id };
  const manager = useLoad(() => answer(api.GET("/accounts/{account}/success-manager", { params: { path } })), [account.id]);
  return (
    <>
      <h1>{screens().reviews.title}</h1>
      <p>{words().intro}</p>
      <section class="card" aria-labelledby="manager">
        <h2 id="manager">{words().manager}</h2>
        {manager.problem?.status === 404 ? (
          <p class="empty">
            {words().noManager} {config.support && <a href={`mailto:${config.support}`}>{words().ask}</a>}
          </p>
        ) : (
          <Load of={manager}>{(person) => <People people={[person]} />}</Load>
        )}
      </section>
      {told && <Told key={changes}>{told}</Told>}
      {manager.value && isBooked && <p class="note">{words().already}</p>}
      {manager.value && !isBooked && <Slots key={changes} account={account} onBooked={() => changed(words().booked)} />}
      <section class="card" aria-labelledby="past">
        <h2 id="past">{words().past}</h2>
        <Pages
          keys={[account.id, changes]}
          ask={(cursor) =>
            answer(api.GET("/accounts/{account}/reviews", { params: { path, query: cursor ? { cursor } : {} } }))
          }
        >
          {(items) => (
            <Past account={account} reviews={items} onOpen={setBooked} onChange={() => changed(words().cancelled)} />
          )}
        </Pages>
      </section>
      <MayEdit />
    </>
  );
}

function Slots({ account, onBooked }: { account: ScreenProps["account"]; onBooked: () => void }) {
  const slots = useLoad(
    () => answer(api.GET("/accounts/{account}/reviews/slots", { params: { path: { account: account.id } } })),
    [account.id],
  );
  return (
    <section class="card" aria-labelledby="book">
      <h2 id="book">{words().book}</h2>
      <Load of={slots}>
        {(found) => (
          <>
            {found.missing.length > 0 && <Missing of={found.missing} />}
            {found.usage_fits && <Choose account={account} slots={found} onBooked={onBooked} onTaken={slots.reload} />}
          </>
        )}
      </Load>
    </section>
  );
}

/** "2 of 3 months below; average 61,200, must be ≤ 50,000", and a bar for it. */
function Missing({ of }: { of: View<"MissingView">[] }) {
  return (
    <>
      <h3>{words().missing}</h3>
      <ul class="people">
        {of.map((each) => (
          <li key={each.product}>
            <strong>{each.name}</strong>: {explain(`review.${each.reason}`, { ...each }, each.detail)}
            {each.reason === "above" && (
              <progress
                aria-label={`${each.name}: ${words().progress(number(each.months_below), number(each.months_needed))}`}
                max={each.months_needed}
                value={each.months_below}
              />
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

interface ChooseProps {
  account: ScreenProps["account"];
  slots: View<"SlotsView">;
  onBooked: () => void;
  onTaken: () => void;
}

/** Times by day, in the account's time zone. */
function Choose({ account, slots, onBooked, onTaken }: ChooseProps) {
  const [chosen, setChosen] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const zone = account.billing.value?.contract.time_zone ?? "UTC";
  const weekday = new Intl.DateTimeFormat(locale(), { weekday: "long", timeZone: zone });
  const time = new Intl.DateTimeFormat(locale(), { timeStyle: "short", timeZone: zone });
  const local = new Intl.DateTimeFormat("sv", { dateStyle: "short", timeZone: zone });
  const byDay = new Map<string, View<"SlotView">[]>();
  for (const slot of slots.items) {
    const on = local.format(new Date(slot.begins));
    byDay.set(on, [...(byDay.get(on) ?? []), slot]);
  }
  const book = async () => {
    if (!chosen) return;
    setBusy(true);
    setProblem(null);
    try {
      const body = { begins: chosen };
      await answer(api.POST("/accounts/{account}/reviews", { params: { path: { account: account.id } }, body }));
      onBooked();
    } catch (thrown) {
      const found = problemOf(thrown);
      setProblem(found);
      if (found.code !== "slot-taken") return;
      setChosen(null);
      onTaken();
    } finally {
      setBusy(false);
    }
  };
  if (!slots.items.length) return <p class="empty">{words().noSlots}</p>;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void book();
      }}
    >
      <p class="small">{zone === slots.time_zone ? words().zone(zone) : words().zones(zone, slots.time_zone)}</p>
      {[...byDay].map(([on, each]) => (
        <fieldset key={on} class="choices row">
          <legend>
            {each[0] && weekday.format(new Date(each[0].begins))}, {day(on, "long")}
          </legend>
          {each.map(({ begins }) => (
            <label key={begins}>
              <input
                type="radio"
                name="slot"
                disabled={account.role !== "admin"}
                checked={chosen === begins}
                onChange={() => setChosen(begins)}
              />{" "}
              {time.format(new Date(begins))}
            </label>
          ))}
        </fieldset>
      ))}
      {problem && <ProblemNote problem={problem} />}
      {account.role === "admin" && (
        <p class="buttons">
          <button type="submit" class="main" disabled={!chosen || isBusy}>
            {words().send}
          </button>
        </p>
      )}
    </form>
  );
}

interface PastProps {
  account: ScreenProps["account"];
  reviews: View<"ReviewView">[];
  /** Whether one of them is still to come: there can be one at a time. */
  onOpen: (isOpen: boolean) => void;
  onChange: () => void;
}

function Past({ account, reviews, onOpen, onChange }: PastProps) {
  const isOpen = reviews.some(({ status }) => status === "booked");
  useEffect(() => onOpen(isOpen), [isOpen]);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const text = words();
  const zone = account.billing.value?.contract.time_zone ?? "UTC";
  const cancel = async (review: string) => {
    setProblem(null);
    setBusy(true);
    try {
      await answer(api.DELETE("/accounts/{account}/reviews/{review}", { params: { path: { account: account.id, review } } }));
      onChange();
    } catch (thrown) {
      setProblem(problemOf(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {problem && <ProblemNote problem={problem} />}
      <Table
        caption={text.past}
        empty={text.none}
        rows={reviews}
        name={({ review }) => review}
        columns={[
          { head: text.when, cell: ({ begins }) => instant(begins, zone) },
          { head: text.place, cell: ({ place }) => place ?? "–" },
          {
            head: text.status,
            cell: ({ review, status, begins }) => (
              <>
                {text.statuses[status]}{" "}
                {status === "booked" && account.role === "admin" && Date.parse(begins) > Date.now() && (
                  <button type="button" class="link" disabled={isBusy} onClick={() => cancel(review)}>
                    {text.cancel}
                  </button>
                )}
              </>
            ),
          },
          {
            head: text.result,
            cell: ({ decision }) =>
              decision ? (
                <>
                  {decision.effective_on && <div>{text.appliedFrom(day(decision.effective_on))}</div>}
                  {decision.reason && <bdi>{decision.reason}</bdi>}
                </>
              ) : (
                "–"
              ),
          },
        ]}
      />
    </>
  );
}
