/** The screens are loaded when they are looked at; what the first view needs is small. */

import type { ComponentType } from "preact";
import type { Account } from "../account";
import type { Screen } from "../route";

export interface ScreenProps {
  account: Account;
  /** What the address has after the screen. */
  rest: string[];
}

const LOADED: Record<Screen, () => Promise<{ default: ComponentType<ScreenProps> }>> = {
  overview: () => import("./overview"),
  billing: () => import("./billing"),
  invoices: () => import("./invoices"),
  usage: () => import("./usage"),
  reduction: () => import("./reduction"),
  decisions: () => import("./decisions"),
  reviews: () => import("./reviews"),
  users: () => import("./users"),
  cancellation: () => import("./cancellation"),
  reactivation: () => import("./reactivation"),
  export: () => import("./export"),
  log: () => import("./log"),
};

export function loadScreen(screen: Screen): Promise<{ default: ComponentType<ScreenProps> }> {
  return LOADED[screen]();
}
