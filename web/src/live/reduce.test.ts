import { describe, expect, test } from "vitest";
import type { Snapshot } from "./events.ts";
import { EMPTY_STATE, isMarked, reduce, runningCell } from "./reduce.ts";

const counts = { total: 2, active: 1, slow: 0, long: 0, waiting: 0 };
const first: Snapshot = {
  at: 10_000,
  interval_ms: 1000,
  server: "uuid@1790000000",
  columns: ["session_id", "user", "state_duration", "sql_statement"],
  running: [2],
  masked: false,
  sessions: { "7": [7, "app", 3, "select 1"], "9": [9, "report", 40, null] },
  counts,
  limitations: [],
};
const initial = reduce(EMPTY_STATE, { type: "snapshot", data: first });
const change = (changed: Record<string, never> | object, gone: number[] = []) =>
  ({
    type: "changes",
    data: { at: 11_000, interval_ms: 1000, server: "uuid@1790000000", changed, gone, counts },
  }) as Parameters<typeof reduce>[1];

describe("reduce", () => {
  test("snapshot is applied without marks", () => {
    expect(initial.sessions.get(9)?.cells).toEqual([9, "report", 40, null]);
    expect(isMarked(initial, initial.sessions.get(7)!, 1)).toBe(false);
  });

  test("partial changes keep the other cells", () => {
    const next = reduce(initial, change({ "7": { "3": "select 2" } }));
    const session = next.sessions.get(7)!;
    expect(session.cells).toEqual([7, "app", 4, "select 2"]);
    expect(isMarked(next, session, 3)).toBe(true);
    expect(isMarked(next, session, 1)).toBe(false);
    expect(next.sessions.get(9)).toBe(initial.sessions.get(9));
    expect(initial.sessions.get(7)!.cells[3]).toBe("select 1");
  });

  test("omitted running value advances with the clock", () => {
    const next = reduce(initial, change({}));
    expect(next.sessions.get(7)).toBe(initial.sessions.get(7));
    expect(runningCell(next.sessions.get(7)!, 2, next.at)).toBe(4);
  });

  test("running value advances when another cell changes", () => {
    const next = reduce(initial, change({ "7": { "1": "other" } }));
    expect(next.sessions.get(7)!.cells).toEqual([7, "other", 4, "select 1"]);
    expect(isMarked(next, next.sessions.get(7)!, 2)).toBe(false);
  });

  test("restarted running value is marked, advanced running value is not", () => {
    const restarted = reduce(initial, change({ "9": { "2": 0 } }));
    expect(isMarked(restarted, restarted.sessions.get(9)!, 2)).toBe(true);
    const advanced = reduce(initial, change({ "9": [9, "report", 41, null] }));
    expect(isMarked(advanced, advanced.sessions.get(9)!, 2)).toBe(false);
  });

  test("id that is both gone and changed is a new session", () => {
    const next = reduce(initial, change({ "7": [7, "app", 0, null] }, [7]));
    expect(isMarked(next, next.sessions.get(7)!, 1)).toBe(true);
  });

  test("limitations are replaced", () => {
    const next = reduce(initial, {
      type: "limitations",
      data: [{ kind: "no_kill", what: "a", why: "b", remedy: null, zh_cn: { what: "甲", why: "乙", remedy: null } }],
    });
    expect(next.limitations).toHaveLength(1);
  });

  test("marks last for one event", () => {
    const next = reduce(reduce(initial, change({ "7": { "3": "select 2" } })), change({}));
    expect(isMarked(next, next.sessions.get(7)!, 3)).toBe(false);
  });

  test("new sessions are marked entirely, gone sessions are removed", () => {
    const next = reduce(initial, change({ "11": [11, "new", 0, "select 3"] }, [9]));
    expect([...next.sessions.keys()]).toEqual([7, 11]);
    expect(isMarked(next, next.sessions.get(11)!, 1)).toBe(true);
  });

  test("cells out of range and changes of unknown sessions are ignored", () => {
    const next = reduce(initial, change({ "7": { "12": "x" }, "99": { "1": "x" } }));
    expect(next.sessions.get(7)!.cells).toEqual([7, "app", 4, "select 1"]);
    expect(next.sessions.has(99)).toBe(false);
  });

  test("changes before the first snapshot are ignored", () => {
    expect(reduce(EMPTY_STATE, change({ "7": [7, "app", 3, "x"] }))).toBe(EMPTY_STATE);
  });

  test("failed sample keeps the sessions and is cleared by the next changes", () => {
    const stale = reduce(initial, {
      type: "read-error",
      data: { at: 12_000, kind: "hung", reason: "no answer in 10 s", zh_cn: { reason: "10秒内无响应" } },
    });
    expect(stale.sessions.size).toBe(2);
    expect(stale.sampleError?.kind).toBe("hung");
    expect(reduce(stale, change({})).sampleError).toBeNull();
  });

  test("snapshot after a reconnection marks the differences", () => {
    const second = { ...first, sessions: { "7": [7, "app", 9, "select 2"], "12": [12, "late", 0, null] } };
    const next = reduce(initial, { type: "snapshot", data: second });
    expect(isMarked(next, next.sessions.get(7)!, 3)).toBe(true);
    expect(isMarked(next, next.sessions.get(12)!, 1)).toBe(true);
    expect(next.sessions.has(9)).toBe(false);
  });

  test("every end reason except shutdown is final", () => {
    expect(reduce(initial, { type: "end", data: { reason: "shutdown" } }).ended).toBeNull();
    expect(reduce(initial, { type: "end", data: { reason: "token" } }).ended).toBe("token");
  });
});
