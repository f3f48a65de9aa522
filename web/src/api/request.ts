/** HTTP client of the page. Authenticates with the session cookie; changes carry the CSRF token. */

import { language } from "../i18n/language.ts";

/** Error response of the API. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Returns a caught value as an `Error`. */
export function toError(caught: unknown): Error {
  return caught instanceof Error ? caught : new Error(String(caught));
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

let csrfToken = "";
let handleSignedOut: () => void = () => undefined;
/** Reloads the session and returns the current CSRF token: another tab may have changed the scope. */
let reloadSession: () => Promise<string | null> = () => Promise.resolve(null);

export function setToken(token: string): void {
  csrfToken = token;
}

export function onSignedOut(handler: () => void): void {
  handleSignedOut = handler;
}

export function onReload(handler: () => Promise<string | null>): void {
  reloadSession = handler;
}

/** Returns the JSON of the response; `undefined` if the body is empty. */
export async function request<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let response = await send(method, path, body, signal);
  if (response.status === 403 && method !== "GET") {
    const before = csrfToken;
    const current = await reloadSession();
    if (current !== null && current !== before) response = await send(method, path, body, signal);
  }
  if (response.status === 401 && !path.startsWith("/clew/v1/console/session")) handleSignedOut();
  if (!response.ok) throw await readError(response);
  if (response.status === 204 || response.headers.get("content-length") === "0") return undefined as T;
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** Throws if a GET of the path fails. Does not read the body, which may be an endless stream. */
export async function checkAvailable(path: string): Promise<void> {
  const stop = new AbortController();
  try {
    const response = await send("GET", path, undefined, stop.signal);
    if (response.status === 401) handleSignedOut();
    if (!response.ok) throw await readError(response);
  } finally {
    stop.abort();
  }
}

function send(method: Method, path: string, body: unknown, signal: AbortSignal | undefined): Promise<Response> {
  const headers: Record<string, string> = { "accept": "application/json", "x-language": language() };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET" && csrfToken !== "") headers["x-clew-csrf"] = csrfToken;
  const options: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) options.body = JSON.stringify(body);
  if (signal) options.signal = signal;
  return fetch(path, options);
}

async function readError(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  try {
    const { error_code, error_msg } = JSON.parse(text) as { error_code?: string; error_msg?: string };
    return new ApiError(response.status, error_code ?? "", error_msg ?? text);
  } catch {
    return new ApiError(response.status, "", text.slice(0, 300) || `HTTP ${response.status}`);
  }
}

/** Returns the query string of all values that are neither null nor empty, with its question mark. */
export function queryString(values: Record<string, string | number | boolean | null | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}
