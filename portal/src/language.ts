/** The language of the page: the person's choice, else that of the browser, else that of the account. Each part of the page has its words in both. */

export const LANGUAGES = { en: "English", it: "Italiano" } as const;
export type Language = keyof typeof LANGUAGES;

const CHOSEN = "livello.language";
const OF_ACCOUNT = "livello.language.account";
let current: Language = first([localStorage.getItem(CHOSEN), ...navigator.languages, localStorage.getItem(OF_ACCOUNT)]);
let listener: (() => void) | null = null;

export function language(): Language {
  return current;
}

/** The language with the person's region, which decides how days are written: 31 January, or January 31. */
export function locale(): string {
  return navigator.languages.find((each) => each.slice(0, 2).toLowerCase() === current) ?? current;
}

/** Changes the language, and keeps the choice in this browser. */
export function choose(wanted: Language): void {
  current = wanted;
  localStorage.setItem(CHOSEN, wanted);
  apply();
  listener?.();
}

/** For a browser that wants neither of the languages: that of the account, now and on later visits. */
export function suggest(ofAccount: string): void {
  localStorage.setItem(OF_ACCOUNT, ofAccount);
  const wanted = first([localStorage.getItem(CHOSEN), ...navigator.languages, ofAccount]);
  if (wanted === current) return;
  current = wanted;
  apply();
  listener?.();
}

/** `listen` is called when the language changes. */
export function onLanguage(listen: () => void): void {
  listener = listen;
  apply();
}

/** Words in both languages. What is missing in one of them is an error of the build. */
export function both<W>(words: { en: W; it: NoInfer<W> }): () => W {
  return () => words[current];
}

function apply(): void {
  document.documentElement.lang = current;
}

function first(wanted: readonly (string | null)[]): Language {
  for (const each of wanted) {
    const short = each?.slice(0, 2).toLowerCase();
    if (short && short in LANGUAGES) return short as Language;
  }
  return "en";
}
