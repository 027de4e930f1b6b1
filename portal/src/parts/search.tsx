/** Finds screens by their names in both languages: `/` or Ctrl-K, from everywhere. */

import { useEffect, useId, useState } from "preact/hooks";
import type { Account } from "../account";
import { type Screen, SCREENS } from "../route";
import { common, screens, screensIn, titlesOf } from "../words/common";
import { Dialog } from "./dialog";

export function Search({ account }: { account: Account | null }) {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const isTyping = (event.target as HTMLElement).closest("input, textarea, select, dialog");
      const isAsked = event.key === "/" ? !isTyping : event.key === "k" && (event.ctrlKey || event.metaKey);
      if (!isAsked || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      setOpen(true);
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  if (!account) return null;
  return (
    <>
      <button type="button" class="quiet" aria-keyshortcuts="/ Control+K" onClick={() => setOpen(true)}>
        {common().search} <kbd aria-hidden="true">/</kbd>
      </button>
      {isOpen && (
        <Dialog title={common().searchFor} onClose={() => setOpen(false)}>
          <Found account={account} onChosen={() => setOpen(false)} />
        </Dialog>
      )}
    </>
  );
}

function Found({ account, onChosen }: { account: Account; onChosen: () => void }) {
  const [wanted, setWanted] = useState("");
  const id = useId();
  const found = matching(wanted);
  const open = (screen: Screen) => {
    location.hash = account.href(screen);
    onChosen();
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (found[0]) open(found[0]);
      }}
    >
      <input
        type="search"
        autofocus
        aria-label={common().searchFor}
        aria-describedby={id}
        value={wanted}
        onInput={({ currentTarget: { value } }) => setWanted(value)}
      />
      <ul id={id} class="found" aria-live="polite">
        {found.map((screen) => (
          <li key={screen}>
            <a href={account.href(screen)} onClick={onChosen}>
              {screens()[screen].title}
            </a>
          </li>
        ))}
        {!found.length && <li>{common().nothingFound}</li>}
      </ul>
    </form>
  );
}

/** The screens with these words in their names, those first that have them in their titles. */
function matching(wanted: string): Screen[] {
  const found = SCREENS.filter((screen) => isNamed(screen, wanted));
  const isTitled = (screen: Screen) => titlesOf(screen).some((title) => plain(title).includes(plain(wanted).trim()));
  return [...found.filter(isTitled), ...found.filter((screen) => !isTitled(screen))];
}

function isNamed(screen: Screen, wanted: string): boolean {
  const words = plain(wanted).split(/[^\p{L}\p{N}-]+/u).filter(Boolean);
  const names = screensIn(screen).map(plain).join(" ");
  return words.every((word) => names.includes(word));
}

function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase();
}
