import { expect, test } from "vitest";
import { DEFAULT_SESSIONS_STATE, parseRoute, type Route, writeRoute } from "./route.ts";

const instance = `${"a".repeat(32)}in07`;
const node = `${"b".repeat(32)}no07`;
const read = (url: string) => {
  const parsed = new URL(url, "http://127.0.0.1");
  return parseRoute(parsed.pathname, parsed.search);
};
const at = (more: Partial<Extract<Route, { node: string }>>): Route => ({
  view: "sessions",
  instance,
  node,
  project: "p".repeat(32),
  sessions: DEFAULT_SESSIONS_STATE,
  tab: "kills",
  ...more,
});

test("every route survives a round trip through its URL", () => {
  const routes: Route[] = [
    { view: "instances", search: "shop & co" },
    { view: "access", part: "audit", search: "operation:KillSessions" },
    at({}),
    at({ view: "locks" }),
    at({ view: "kill", tab: "tasks" }),
    at({ view: "collections", project: null }),
    at({
      sessions: {
        query: 'user:app sql:"a=1&b"',
        sort: { column: "user", descending: false },
        by: "template",
        session: 42,
        columns: ["user", "host"],
      },
    }),
  ];
  for (const route of routes) expect(read(writeRoute(route))).toEqual(route);
});

test("default values are omitted from the URL", () => {
  expect(writeRoute(at({ project: null }))).toBe(`/instances/${instance}/nodes/${node}/sessions`);
});

test("invalid URLs yield the instance list or default values", () => {
  expect(read("/").view).toBe("instances");
  expect(read(`/instances/nope/nodes/${node}/locks`).view).toBe("instances");
  expect(read(`/instances/${instance}/nodes/${node}/nope?sort=<x>&by=x&session=-1&columns=<b>`)).toEqual(
    at({ project: null }),
  );
});
