import { afterEach, expect, test, vi } from "vitest";
import { kill, type Victim } from "./console.ts";

const nodeRef = { project: "p", instance: "i", node: "n" };

interface KillRequest {
  sessions: Victim[];
  other_victims?: number[];
}

/** A server where sessions wait for session 1, and session 2 is protected. */
function stubServer(): KillRequest[] {
  const requests: KillRequest[] = [];
  vi.stubGlobal("fetch", (_: string, { body }: { body: string }) => {
    const request = JSON.parse(body) as KillRequest;
    requests.push(request);
    const outcome = (id: number) => (id === 2 ? "refused" : "would_kill");
    const sessions = request.sessions.map(({ id }) => ({ id, outcome: outcome(id), message: "", session: null }));
    const victims = [
      ...sessions.filter((one) => one.outcome === "would_kill").map(({ id }) => id),
      ...(request.other_victims ?? []),
    ];
    const warnings = victims.includes(1) ? [] : [`${victims.length} wait for session 1`];
    return Promise.resolve(new Response(JSON.stringify({ sessions, costs_unknown: null, warnings, effect: null })));
  });
  return requests;
}

const victims = (from: number, to: number): Victim[] =>
  Array.from({ length: to - from + 1 }, (_, at) => ({ id: from + at, user: "app", host: "10.0.0.7:1" }));

afterEach(() => vi.unstubAllGlobals());

test("a preview in several requests warns of a blocker only if no request kills it", async () => {
  const requests = stubServer();
  const all = await kill(nodeRef, victims(1, 2001), "connection", "", true);
  expect([all.sessions.length, all.warnings]).toEqual([2001, []]);
  expect(requests.map((one) => one.sessions.length)).toEqual([1000, 1000, 1]);
  expect(requests.map((one) => one.other_victims?.length)).toEqual([undefined, 999, 1999]);
});

test("a preview in several requests counts all victims in one warning", async () => {
  stubServer();
  const all = await kill(nodeRef, victims(2, 1502), "connection", "", true);
  expect(all.warnings).toEqual(["1500 wait for session 1"]);
});
