/** The API, typed by its OpenAPI document. Every answer that is no success is a Problem. */

import createClient from "openapi-fetch";
import type { components, paths } from "./api/schema";
import { bearer, logIn, LogInDown } from "./session";

type Schemas = components["schemas"];
/** What the API answers or takes, by its name in the OpenAPI document. */
export type View<Name extends keyof Schemas> = Schemas[Name];

const SECONDS_MAX = 30;
const TRIES_MAX = 3;
/** A longer wait than this is told and not waited for, in seconds. */
const WAIT_MAX = 5;

export interface FieldError {
  pointer?: string;
  parameter?: string;
  code: View<"FieldCode">;
  detail: string;
  limits?: Record<string, unknown>;
}

export interface Person {
  name: string;
  email: string;
}

interface Body {
  type?: string;
  detail?: string;
  errors?: FieldError[];
  admins?: Person[];
  preview?: View<"ConsequencesView">;
}

/** A problem document (RFC 9457), or that there was no answer: `offline`. */
export class Problem extends Error {
  readonly code: string;
  readonly errors: FieldError[];
  readonly admins: Person[];

  constructor(
    readonly status: number,
    readonly body: Body,
    readonly request: string | null,
    readonly retryAfter: number | null = null,
  ) {
    super(body.detail ?? "");
    this.code = body.type?.split(":").at(-1) ?? (status ? "error" : "offline");
    this.errors = body.errors ?? [];
    this.admins = body.admins ?? [];
  }
}

export const api = createClient<paths>({ baseUrl: "/v1", fetch: send });

/** What a request was answered with, and its ETag. Raises Problem. */
export async function answer<T>(request: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  return (await versioned(request))[0];
}

export async function versioned<T>(
  request: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<[T, string]> {
  const { data, error, response } = await request.catch((thrown: unknown) => {
    if (thrown instanceof Problem) throw thrown;
    // The answer has broken off, or is none of the API: a network that wants a log-in of its own answers with a page.
    console.info(thrown);
    throw new Problem(500, {}, null);
  });
  if (!response.ok) {
    const wait = Number(response.headers.get("Retry-After") ?? Number.NaN);
    throw new Problem(
      response.status,
      typeof error === "object" && error !== null ? (error as Body) : {},
      response.headers.get("apigw-requestid") ?? response.headers.get("x-amzn-requestid"),
      Number.isFinite(wait) ? wait : null,
    );
  }
  return [data as T, response.headers.get("ETag") ?? ""];
}

/** Sends a request. One that may be repeated is, where the API asks for a short wait. */
async function send(request: Request): Promise<Response> {
  const token = await bearer().catch((thrown: unknown) => {
    throw thrown instanceof LogInDown ? new Problem(thrown.status, {}, null) : thrown;
  });
  if (!token) return leave();
  request.headers.set("Authorization", `Bearer ${token}`);
  for (let tried = 1; ; tried += 1) {
    const response = await once(request.clone());
    if (response.status === 401) return leave();
    const wait = Number(response.headers.get("Retry-After") ?? Number.NaN);
    const isBusy = response.status === 429 || response.status === 503;
    if (!isBusy || request.method === "POST" || tried === TRIES_MAX || !(wait <= WAIT_MAX)) return response;
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
  }
}

async function once(request: Request): Promise<Response> {
  try {
    return await fetch(request, { signal: AbortSignal.timeout(SECONDS_MAX * 1000) });
  } catch {
    throw new Problem(0, {}, null);
  }
}

/** The session is over: the browser leaves for the log-in, and comes back to this screen. Never answers. */
async function leave(): Promise<never> {
  await logIn();
  return new Promise<never>(() => {});
}
