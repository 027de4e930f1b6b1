/** Everything that is kept about the account, as one file. */

import { useEffect, useState } from "preact/hooks";
import type { ScreenProps } from "./load";
import { answer, api, type Problem } from "../api";
import { instant, number } from "../format";
import { both } from "../language";
import { MayEdit } from "../parts/admins";
import { Load, problemOf, ProblemNote, useLoad } from "../parts/load";
import { screens } from "../words/common";

const words = both({
  en: {
    intro: "One file with everything that we keep about your account: subscription, invoices with their documents, usage, decisions, users, the log.",
    none: "No export has been asked for.",
    expired: "The last export is not kept any more.",
    ask: "Ask for an export",
    again: "Ask for a new one",
    preparing: "The export is being prepared. You may leave this page: a mail comes when it is ready.",
    ready: (until: string) => `Ready until ${until}.`,
    files: (count: string) => `${count} files.`,
    open: "Download the export",
  },
  it: {
    intro: "Un file con tutto ciò che conserviamo sul vostro account: abbonamento, fatture con i documenti, utilizzo, decisioni, utenti, registro.",
    none: "Nessuna esportazione è stata chiesta.",
    expired: "L'ultima esportazione non è più conservata.",
    ask: "Chiedete un'esportazione",
    again: "Chiedetene una nuova",
    preparing: "L'esportazione è in preparazione. Potete lasciare la pagina: quando è pronta arriva un'e-mail.",
    ready: (until: string) => `Pronta fino al ${until}.`,
    files: (count: string) => `${count} file.`,
    open: "Scaricate l'esportazione",
  },
});

const POLLED = 3000;

export default function Export({ account }: ScreenProps) {
  const isAdmin = account.role === "admin";
  return (
    <>
      <h1>{screens().export.title}</h1>
      <p>{words().intro}</p>
      {isAdmin ? <ForAdmin account={account} /> : <MayEdit />}
    </>
  );
}

function ForAdmin({ account }: Pick<ScreenProps, "account">) {
  const params = { path: { account: account.id } };
  const [problem, setProblem] = useState<Problem | null>(null);
  const state = useLoad(() => answer(api.GET("/accounts/{account}/export", { params })), [account.id]);
  const isPreparing = state.value?.status === "preparing";
  useEffect(() => {
    if (!isPreparing) return;
    const timer = setInterval(state.reload, POLLED);
    return () => clearInterval(timer);
  }, [isPreparing]);
  const ask = () => {
    setProblem(null);
    answer(api.POST("/accounts/{account}/export", { params })).then(state.set, (thrown: unknown) => setProblem(problemOf(thrown)));
  };
  const zone = account.billing.value?.contract.time_zone ?? "UTC";
  const text = words();
  return (
    <Load of={state}>
      {({ status, link, until, files }) => (
        <section class="card" aria-label={screens().export.title}>
          <div role="status">
            {status === "none" && <p>{text.none}</p>}
            {status === "expired" && <p>{text.expired}</p>}
            {status === "preparing" && <p>{text.preparing}</p>}
            {status === "ready" && until && (
              <p>
                {text.ready(instant(until, zone))} {files !== null && text.files(number(files))}
              </p>
            )}
          </div>
          {problem && <ProblemNote problem={problem} />}
          <p class="buttons">
            {status === "ready" && link && (
              <a class="button main" href={link}>
                {text.open}
              </a>
            )}
            {status !== "preparing" && (
              <button type="button" onClick={ask}>
                {status === "none" ? text.ask : text.again}
              </button>
            )}
          </p>
        </section>
      )}
    </Load>
  );
}
