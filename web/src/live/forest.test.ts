import { expect, test } from "vitest";
import { canBeKilled, forest, type PartyFacts, type Wait, type WaitGraph } from "./forest.ts";

const facts = (session: number, more: Partial<PartyFacts> = {}): PartyFacts => ({
  party: { session }, role: "user", user: "app", host: "h", database: "shop", command: "Query", state: null, seconds: 1, statement: null,
  last_statements: [], transaction_id: 1, transaction_state: "RUNNING", transaction_seconds: 1, rows_locked: 1, rows_modified: 0, xid: null, gone: false, ...more,
});
const wait = (waiter: number, blocker: number, seconds = 1): Wait => ({
  waiter: { session: waiter }, blocker: { session: blocker }, on: { kind: "row", schema: "shop", name: "orders", index: "PRIMARY", data: "1" },
  wanted: "X", held: "X", queued: false, inferred: false, seconds,
});
const graph = (waits: Wait[], roots: WaitGraph["roots"], ids: number[]): WaitGraph => ({
  waits, roots, cycles: [], parties: ids.map((id) => facts(id)), vanished: [], unexplained: [], limitations: [],
});
const drawn = (graph: WaitGraph) => forest(graph).map(({ key, depth, below }) => `${"-".repeat(depth)}${key}:${below}`);

test("a chain of three stands under its root", () => {
  const root = { parties: [{ session: 1 }], holds: 2, frees: 2, longest_seconds: 5 };
  expect(drawn(graph([wait(2, 1), wait(3, 2)], [root], [1, 2, 3]))).toEqual(["s1:2", "-s2:1", "--s3:0"]);
});

test("who holds most comes first, then who waits longest", () => {
  const root = { parties: [{ session: 1 }], holds: 4, frees: 4, longest_seconds: 5 };
  const waits = [wait(2, 1, 3), wait(3, 1, 9), wait(4, 1, 1), wait(5, 4, 1)];
  expect(drawn(graph(waits, [root], [1, 2, 3, 4, 5]))).toEqual(["s1:4", "-s4:1", "--s5:0", "-s3:0", "-s2:0"]);
});

test("who waits for two roots stands once", () => {
  const roots = [1, 2].map((session) => ({ parties: [{ session }], holds: 1, frees: 0, longest_seconds: 1 }));
  expect(drawn(graph([wait(3, 1), wait(3, 2)], roots, [1, 2, 3]))).toEqual(["s1:1", "-s3:0", "s2:0"]);
});

test("the members of a cycle are its roots, each with its wait inside", () => {
  const root = { parties: [{ session: 1 }, { session: 2 }], holds: 2, frees: 2, longest_seconds: 1 };
  const lines = forest(graph([wait(1, 2), wait(2, 1), wait(3, 1)], [root], [1, 2, 3]));
  expect(lines.map(({ key, depth }) => `${"-".repeat(depth)}${key}`)).toEqual(["s1", "-s3", "s2"]);
  expect(lines[0]?.wait?.blocker).toEqual({ session: 2 });
});

test("a chain of ten thousand does not overflow", () => {
  const ids = Array.from({ length: 10_000 }, (_, at) => at + 1);
  const waits = ids.slice(1).map((id) => wait(id, id - 1));
  const lines = forest(graph(waits, [{ parties: [{ session: 1 }], holds: 9_999, frees: 9_999, longest_seconds: 1 }], ids));
  expect(lines).toHaveLength(10_000);
  expect(lines[0]?.below).toBe(9_999);
});

test("only a user's session that is there can be killed", () => {
  expect(canBeKilled(facts(1))).toBe(true);
  expect(canBeKilled(facts(1, { role: "applier" }))).toBe(false);
  expect(canBeKilled(facts(1, { gone: true }))).toBe(false);
  expect(canBeKilled(facts(1, { transaction_state: "ROLLING BACK" }))).toBe(false);
  expect(canBeKilled(null)).toBe(false);
});
