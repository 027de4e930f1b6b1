/** The addresses of the page: `#/{account}/{screen}/…`. Mails link to these. */

import { useEffect, useState } from "preact/hooks";

/** The screens of an account. Mails link to them by these names (billing/kernel/page_addresses.py); a test compares. */
export const SCREENS = [
  "overview",
  "billing",
  "invoices",
  "usage",
  "reduction",
  "decisions",
  "reviews",
  "users",
  "cancellation",
  "reactivation",
  "export",
  "log",
] as const;
export type Screen = (typeof SCREENS)[number];

/** In the place of an invoice's number: the list of those that are past due. */
export const PAST_DUE = "past-due";

export interface Route {
  account: string | null;
  screen: Screen | null;
  /** What follows the screen, such as the number of an invoice. */
  rest: string[];
}

export function href(account: string, screen: Screen, ...rest: string[]): string {
  return `#/${[account, screen, ...rest].map(encodeURIComponent).join("/")}`;
}

export function parsed(hash: string): Route {
  const [account, screen, ...rest] = hash.replace(/^#?\/?/, "").split("/").map(decode);
  const known = SCREENS.find((each) => each === screen) ?? null;
  return { account: account || null, screen: screen ? known : "overview", rest: rest.filter(Boolean) };
}

/** The route of the address bar. The component that uses it is drawn again when it changes. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    addEventListener("hashchange", changed);
    // It may have changed between the first drawing and now.
    changed();
    return () => removeEventListener("hashchange", changed);
  }, []);
  return parsed(hash);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
