import { answer, api } from "../api";
import { day } from "../format";
import { both } from "../language";
import { Lines } from "./lines";
import { ProblemNote, useLoad, Wait } from "./load";

const words = both({
  en: {
    on: (on: string) => `Issued on ${on}.`,
    none: "No invoice is to come.",
    prices: (on: string) => `Other prices hold from ${on}.`,
  },
  it: {
    on: (on: string) => `Emessa il ${on}.`,
    none: "Non è prevista nessuna fattura.",
    prices: (on: string) => `Dal ${on} valgono altri prezzi.`,
  },
});

/** The next invoice. That none is to come is an answer, and no failure. */
export function Upcoming({ account }: { account: string }) {
  const upcoming = useLoad(
    () => answer(api.GET("/accounts/{account}/invoices/upcoming", { params: { path: { account } } })),
    [account],
  );
  if (upcoming.problem?.status === 404) return <p class="empty">{words().none}</p>;
  if (upcoming.problem) return <ProblemNote problem={upcoming.problem} again={upcoming.reload} />;
  if (!upcoming.value) return <Wait />;
  const preview = upcoming.value;
  return (
    <>
      <p>
        {words().on(day(preview.on, "long"))}
        {preview.prices_change_on && ` ${words().prices(day(preview.prices_change_on))}`}
      </p>
      <Lines account={account} of={preview} />
    </>
  );
}
