/**
 * Who is logged in: authorization code with PKCE (RFC 7636), without a library.
 *
 * The ID token is kept in memory only. The refresh token is kept in sessionStorage, so that a reload of the tab asks for
 * no password, and another tab or a closed browser does. No token is ever part of an address.
 */

import { config } from "./config";
import { language } from "./language";

const VERIFIER = "livello.verifier.";
const REFRESH = "livello.refresh";
const PERSON = "livello.person";
/** Where forms keep what is typed. */
export const DRAFT = "livello.draft.";
const SECONDS_MAX = 30;
/** A token is renewed this long before it ends, in milliseconds. */
const EARLY = 60_000;

interface Tokens {
  id_token: string;
  refresh_token?: string;
}

interface Claims {
  sub: string;
  email: string;
  name?: string;
  exp: number;
  "cognito:groups"?: string[];
}

let token: string | null = null;
let claims: Claims | null = null;
let renewal: Promise<boolean> | null = null;
/** The browser is on its way to another page. A request that ends meanwhile must not send it elsewhere. */
let isLeaving = false;
// Whoever goes back finds the page as it was left: it begins anew.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

/** The person that is logged in. Only after `begin` was true. */
export function me(): Claims {
  if (!claims) throw new Error("nobody is logged in");
  return claims;
}

export function isStaff(): boolean {
  return claims?.["cognito:groups"]?.includes("staff") ?? false;
}

/** Thrown where the log-in does not answer, or has a fault: that ends no session. `status` is 0 without an answer. */
export class LogInDown extends Error {
  constructor(readonly status: number) {
    super("the log-in cannot be reached");
  }
}

/** Thrown where the log-in page sends the person back without a code. To ask it again at once would go round for ever. */
export class LogInRefused extends Error {}

/**
 * Takes up the session of this tab, or the answer of the log-in page. False while the browser leaves for the log-in.
 * Raises LogInRefused and LogInDown.
 */
export async function begin(): Promise<boolean> {
  const answer = new URLSearchParams(location.search);
  const code = answer.get("code");
  const state = answer.get("state");
  if (code && state) {
    const verifier = sessionStorage.getItem(VERIFIER + state);
    sessionStorage.removeItem(VERIFIER + state);
    const hash = decoded(state);
    history.replaceState(null, "", `${location.pathname}${hash}`);
    if (verifier && (await exchange({ grant_type: "authorization_code", code, code_verifier: verifier, redirect_uri: home() }))) {
      return true;
    }
  } else if (answer.size) {
    history.replaceState(null, "", `${location.pathname}${location.hash}`);
  }
  if (await renewed()) return true;
  if (answer.has("error") || code) throw new LogInRefused(answer.get("error_description") ?? "");
  await logIn();
  return false;
}

/** The ID token, renewed if it is about to end. Null if the session is over. Raises LogInDown. */
export async function bearer(): Promise<string | null> {
  if (token && claims && claims.exp * 1000 - Date.now() > EARLY) return token;
  return (await renewed()) ? token : null;
}

/** Leaves for the log-in page; whoever logs in comes back to this screen. */
export async function logIn(): Promise<void> {
  if (isLeaving) return;
  isLeaving = true;
  const verifier = random();
  const state = `${random().slice(0, 16)}.${base64url(new TextEncoder().encode(location.hash))}`;
  sessionStorage.setItem(VERIFIER + state, verifier);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  location.assign(
    `${config.login}/oauth2/authorize?${new URLSearchParams({
      response_type: "code",
      client_id: config.client_id,
      redirect_uri: home(),
      scope: "openid email profile",
      code_challenge_method: "S256",
      code_challenge: base64url(new Uint8Array(digest)),
      state,
      lang: language(),
    })}`,
  );
}

/** Ends the session here and at the log-in page. What was typed and not sent is forgotten. */
export function logOut(): void {
  isLeaving = true;
  const refresh = sessionStorage.getItem(REFRESH);
  if (refresh) {
    // Sent also while the browser leaves: nobody can renew the session any more.
    const body = new URLSearchParams({ token: refresh, client_id: config.client_id });
    void fetch(`${config.login}/oauth2/revoke`, { method: "POST", body, keepalive: true }).catch(() => {});
  }
  // What is shown until the browser has left still says whose page it is.
  token = null;
  sessionStorage.clear();
  location.assign(`${config.login}/logout?${new URLSearchParams({ client_id: config.client_id, logout_uri: home() })}`);
}

function renewed(): Promise<boolean> {
  const refresh = sessionStorage.getItem(REFRESH);
  if (!refresh) return Promise.resolve(false);
  renewal ??= exchange({ grant_type: "refresh_token", refresh_token: refresh }).finally(() => {
    renewal = null;
  });
  return renewal;
}

async function exchange(body: Record<string, string>): Promise<boolean> {
  const response = await fetch(`${config.login}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({ ...body, client_id: config.client_id }),
    signal: AbortSignal.timeout(SECONDS_MAX * 1000),
  }).catch(() => {
    throw new LogInDown(0);
  });
  // Only a refusal ends a session. A server that is down or busy is asked again by the next request.
  if (response.status === 429 || response.status >= 500) throw new LogInDown(response.status);
  if (!response.ok) {
    sessionStorage.removeItem(REFRESH);
    return false;
  }
  const tokens = (await response.json()) as Tokens;
  token = tokens.id_token;
  claims = JSON.parse(new TextDecoder().decode(bytes(token.split(".")[1] ?? ""))) as Claims;
  if (tokens.refresh_token) sessionStorage.setItem(REFRESH, tokens.refresh_token);
  forgetOthers(claims.sub);
  return true;
}

/** What another person typed in this tab, before the session ended, is not for this one. */
function forgetOthers(person: string): void {
  const before = sessionStorage.getItem(PERSON);
  sessionStorage.setItem(PERSON, person);
  if (before === null || before === person) return;
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(DRAFT)) sessionStorage.removeItem(key);
}

// A page that the browser has kept may be shown again after a log-out: by the button "back".
addEventListener("pageshow", ({ persisted }) => {
  if (persisted && !sessionStorage.getItem(REFRESH)) location.reload();
});

function home(): string {
  return `${location.origin}/`;
}

function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(from: Uint8Array): string {
  return btoa(String.fromCharCode(...from)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function bytes(from: string): Uint8Array {
  return Uint8Array.from(atob(from.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
}

function decoded(state: string): string {
  const hash = new TextDecoder().decode(bytes(state.split(".")[1] ?? ""));
  return hash.startsWith("#/") ? hash : "";
}
