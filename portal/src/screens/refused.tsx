import { config } from "../config";
import { both } from "../language";
import { logIn } from "../session";

const words = both({
  en: { title: "You are not logged in", said: "The log-in did not succeed, or cannot be reached.", again: "Log in" },
  it: { title: "Non avete effettuato l'accesso", said: "L'accesso non è riuscito, o non è raggiungibile.", again: "Accedi" },
});

/** What is shown instead of a log-in that leads nowhere. */
export function Refused({ reason }: { reason: string }) {
  document.title = `${words().title} – ${config.vendor}`;
  return (
    <main>
      <h1>{words().title}</h1>
      <p>{words().said}</p>
      {reason && <p class="small">{reason}</p>}
      <p>
        <button type="button" class="main" onClick={() => void logIn()}>
          {words().again}
        </button>
      </p>
    </main>
  );
}
