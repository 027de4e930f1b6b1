/** The account that is looked at, for every screen of it. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { View } from "./api";
import type { Loading } from "./parts/load";
import { href, type Screen } from "./route";

export interface Account {
  id: string;
  name: string;
  role: "admin" | "member" | "staff";
  /** The billing page, which every screen may show a part of. */
  billing: Loading<View<"BillingPageView">>;
  href: (screen: Screen, ...rest: string[]) => string;
}

export const AccountContext = createContext<Account | null>(null);

/** The account of the screen. Only within one. */
export function useAccount(): Account {
  const account = useContext(AccountContext);
  if (!account) throw new Error("no account is chosen");
  return account;
}

export function accountOf(
  id: string,
  role: Account["role"],
  name: string,
  billing: Account["billing"],
): Account {
  return { id, role, name, billing, href: (screen, ...rest) => href(id, screen, ...rest) };
}
