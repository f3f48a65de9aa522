/** One way to ask the server: the cookie goes along by itself, what changes anything bears the CSRF token. */

import { language } from "../words/language.ts";

/** An answer that says no. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

let csrf = "";
let signedOut: () => void = () => undefined;
/** Asks again who is signed in, and gives the CSRF token of now: another tab may have changed the scope. */
let renewed: () => Promise<string | null> = () => Promise.resolve(null);

export function setToken(token: string): void {
  csrf = token;
}

export function onSignedOut(told: () => void): void {
  signedOut = told;
}

export function onRenewal(ask: () => Promise<string | null>): void {
  renewed = ask;
}

/** The answer's JSON; nothing where it has no body. */
export async function request<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let response = await sent(method, path, body, signal);
  if (response.status === 403 && method !== "GET") {
    const before = csrf;
    const now = await renewed();
    if (now !== null && now !== before) response = await sent(method, path, body, signal);
  }
  if (response.status === 401 && !path.startsWith("/clew/v1/console/session")) signedOut();
  if (!response.ok) throw await refusal(response);
  if (response.status === 204 || response.headers.get("content-length") === "0") return undefined as T;
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** Whether a path answers; the answer itself may have no end, and is not read. */
export async function answers(path: string): Promise<void> {
  const stop = new AbortController();
  try {
    const response = await sent("GET", path, undefined, stop.signal);
    if (response.status === 401) signedOut();
    if (!response.ok) throw await refusal(response);
  } finally {
    stop.abort();
  }
}

function sent(method: Method, path: string, body: unknown, signal: AbortSignal | undefined): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json", "x-language": language() };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET" && csrf !== "") headers["x-clew-csrf"] = csrf;
  const asked: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) asked.body = JSON.stringify(body);
  if (signal) asked.signal = signal;
  return fetch(path, asked);
}

async function refusal(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  try {
    const { error_code, error_msg } = JSON.parse(text) as { error_code?: string; error_msg?: string };
    return new ApiError(response.status, error_code ?? "", error_msg ?? text);
  } catch {
    return new ApiError(response.status, "", text.slice(0, 300) || `HTTP ${response.status}`);
  }
}

/** A query string of what is there. */
export function asked(values: Record<string, string | number | boolean | null | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}
