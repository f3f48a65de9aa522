import { expect, test } from "vitest";
import { buildLockTree, canBeKilled, type PartyDetails, type Wait, type WaitGraph } from "./lock-tree.ts";

const details = (session: number, more: Partial<PartyDetails> = {}): PartyDetails => ({
  party: { session },
  role: "user",
  user: "app",
  host: "h",
  database: "shop",
  command: "Query",
  state: null,
  seconds: 1,
  statement: null,
  last_statements: [],
  transaction_id: 1,
  transaction_state: "RUNNING",
  transaction_seconds: 1,
  rows_locked: 1,
  rows_modified: 0,
  xid: null,
  gone: false,
  ...more,
});
const wait = (waiter: number, blocker: number, seconds = 1): Wait => ({
  waiter: { session: waiter },
  blocker: { session: blocker },
  on: { kind: "row", zh_cn: { kind: "行锁" }, schema: "shop", name: "orders", index: "PRIMARY", data: "1" },
  wanted: "X",
  held: "X",
  queued: false,
  inferred: false,
  seconds,
});
const graph = (waits: Wait[], roots: WaitGraph["roots"], ids: number[]): WaitGraph => ({
  waits,
  roots,
  cycles: [],
  parties: ids.map((id) => details(id)),
  vanished: [],
  unexplained: [],
  limitations: [],
});
const treeOf = (waitGraph: WaitGraph) =>
  buildLockTree(waitGraph).map(({ key, depth, descendants }) => `${"-".repeat(depth)}${key}:${descendants}`);

test("chain of three is below its root", () => {
  const root = { parties: [{ session: 1 }], holds: 2, frees: 2, longest_seconds: 5 };
  expect(treeOf(graph([wait(2, 1), wait(3, 2)], [root], [1, 2, 3]))).toEqual(["s1:2", "-s2:1", "--s3:0"]);
});

test("siblings are sorted by number of descendants, then by wait time", () => {
  const root = { parties: [{ session: 1 }], holds: 4, frees: 4, longest_seconds: 5 };
  const waits = [wait(2, 1, 3), wait(3, 1, 9), wait(4, 1, 1), wait(5, 4, 1)];
  expect(treeOf(graph(waits, [root], [1, 2, 3, 4, 5]))).toEqual(["s1:4", "-s4:1", "--s5:0", "-s3:0", "-s2:0"]);
});

test("waiter of two roots is listed once", () => {
  const roots = [1, 2].map((session) => ({ parties: [{ session }], holds: 1, frees: 0, longest_seconds: 1 }));
  expect(treeOf(graph([wait(3, 1), wait(3, 2)], roots, [1, 2, 3]))).toEqual(["s1:1", "-s3:0", "s2:0"]);
});

test("members of a cycle are roots with their wait inside the cycle", () => {
  const root = { parties: [{ session: 1 }, { session: 2 }], holds: 2, frees: 2, longest_seconds: 1 };
  const rows = buildLockTree(graph([wait(1, 2), wait(2, 1), wait(3, 1)], [root], [1, 2, 3]));
  expect(rows.map(({ key, depth }) => `${"-".repeat(depth)}${key}`)).toEqual(["s1", "-s3", "s2"]);
  expect(rows[0]?.wait?.blocker).toEqual({ session: 2 });
});

test("chain of ten thousand does not overflow the stack", () => {
  const ids = Array.from({ length: 10_000 }, (_, at) => at + 1);
  const waits = ids.slice(1).map((id) => wait(id, id - 1));
  const rows = buildLockTree(
    graph(waits, [{ parties: [{ session: 1 }], holds: 9_999, frees: 9_999, longest_seconds: 1 }], ids),
  );
  expect(rows).toHaveLength(10_000);
  expect(rows[0]?.descendants).toBe(9_999);
});

test("only running user sessions can be killed", () => {
  expect(canBeKilled(details(1))).toBe(true);
  expect(canBeKilled(details(1, { role: "applier" }))).toBe(false);
  expect(canBeKilled(details(1, { gone: true }))).toBe(false);
  expect(canBeKilled(details(1, { transaction_state: "ROLLING BACK" }))).toBe(false);
  expect(canBeKilled(null)).toBe(false);
});
