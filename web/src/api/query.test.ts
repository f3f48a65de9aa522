import { QueryObserver } from "@tanstack/react-query";
import { afterEach, expect, test, vi } from "vitest";
import { createGetQuery, queryClient } from "./query.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  queryClient.clear();
});

/** Stubs `fetch` with one response per request. After the last response, requests do not end. Returns the signals of the requests. */
function stubFetch(...responses: Response[]): AbortSignal[] {
  const signals: AbortSignal[] = [];
  vi.stubGlobal("fetch", (_: string, { signal }: { signal: AbortSignal }) => {
    const response = responses[signals.length];
    signals.push(signal);
    return response ? Promise.resolve(response) : new Promise<Response>(() => undefined);
  });
  return signals;
}

const errorResponse = () => new Response('{"error_code":"X","error_msg":"node is down"}', { status: 503 });

test("an error stays visible while the query requests again", async () => {
  const signals = stubFetch(errorResponse());
  const observer = new QueryObserver(queryClient, createGetQuery<string>("/nodes"));
  const unsubscribe = observer.subscribe(() => undefined);
  await vi.waitFor(() => expect(observer.getCurrentResult().error?.message).toBe("node is down"));
  void observer.refetch();
  expect(signals).toHaveLength(2);
  const { data, error, fetchStatus } = observer.getCurrentResult();
  expect([data, error?.message, fetchStatus]).toEqual([null, "node is down", "fetching"]);
  unsubscribe();
});

test("data stays visible after an error", async () => {
  stubFetch(new Response('"first"'), errorResponse());
  const observer = new QueryObserver(queryClient, createGetQuery<string>("/nodes"));
  const unsubscribe = observer.subscribe(() => undefined);
  await vi.waitFor(() => expect(observer.getCurrentResult().data).toBe("first"));
  const { data, error } = await observer.refetch();
  expect([data, error?.message]).toEqual(["first", "node is down"]);
  unsubscribe();
});

test("closing a view aborts its request and discards its data", () => {
  const signals = stubFetch();
  const unsubscribe = new QueryObserver(queryClient, createGetQuery<string>("/nodes")).subscribe(() => undefined);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  unsubscribe();
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  return vi.waitFor(() => expect(queryClient.getQueryCache().getAll()).toEqual([]));
});
