import { describe, expect, test } from "vitest";
import type { Snapshot } from "./events.ts";
import { isMarked, NOTHING_YET, reduce, runningCell } from "./reduce.ts";

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
const started = reduce(NOTHING_YET, { type: "snapshot", data: first });
const change = (changed: Record<string, never> | object, gone: number[] = []) =>
  ({ type: "changes", data: { at: 11_000, interval_ms: 1000, server: "uuid@1790000000", changed, gone, counts } }) as Parameters<typeof reduce>[1];

describe("the state after each event", () => {
  test("a snapshot is taken in, unmarked", () => {
    expect(started.sessions.get(9)?.cells).toEqual([9, "report", 40, null]);
    expect(isMarked(started, started.sessions.get(7)!, 1)).toBe(false);
  });

  test("changes of single cells keep the others", () => {
    const next = reduce(started, change({ "7": { "3": "select 2" } }));
    const session = next.sessions.get(7)!;
    expect(session.cells).toEqual([7, "app", 4, "select 2"]);
    expect(isMarked(next, session, 3)).toBe(true);
    expect(isMarked(next, session, 1)).toBe(false);
    expect(next.sessions.get(9)).toBe(started.sessions.get(9));
    expect(started.sessions.get(7)!.cells[3]).toBe("select 1");
  });

  test("an age that only went on is not told, and goes on", () => {
    const next = reduce(started, change({}));
    expect(next.sessions.get(7)).toBe(started.sessions.get(7));
    expect(runningCell(next.sessions.get(7)!, 2, next.at)).toBe(4);
  });

  test("an age goes on when another cell is told", () => {
    const next = reduce(started, change({ "7": { "1": "other" } }));
    expect(next.sessions.get(7)!.cells).toEqual([7, "other", 4, "select 1"]);
    expect(isMarked(next, next.sessions.get(7)!, 2)).toBe(false);
  });

  test("an age that began anew is marked, one that is told as it went on is not", () => {
    const anew = reduce(started, change({ "9": { "2": 0 } }));
    expect(isMarked(anew, anew.sessions.get(9)!, 2)).toBe(true);
    const on = reduce(started, change({ "9": [9, "report", 41, null] }));
    expect(isMarked(on, on.sessions.get(9)!, 2)).toBe(false);
  });

  test("who is gone and there is another session than before", () => {
    const next = reduce(started, change({ "7": [7, "app", 0, null] }, [7]));
    expect(isMarked(next, next.sessions.get(7)!, 1)).toBe(true);
  });

  test("limitations that change are taken over", () => {
    const next = reduce(started, { type: "limitations", data: [{ what: "a", why: "b" }] });
    expect(next.limitations).toHaveLength(1);
  });

  test("the mark is of the newest event only", () => {
    const next = reduce(reduce(started, change({ "7": { "3": "select 2" } })), change({}));
    expect(isMarked(next, next.sessions.get(7)!, 3)).toBe(false);
  });

  test("those that came are marked whole, those that are gone are gone", () => {
    const next = reduce(started, change({ "11": [11, "new", 0, "select 3"] }, [9]));
    expect([...next.sessions.keys()]).toEqual([7, 11]);
    expect(isMarked(next, next.sessions.get(11)!, 1)).toBe(true);
  });

  test("a cell out of range, and changes of who is not known, change nothing", () => {
    const next = reduce(started, change({ "7": { "12": "x" }, "99": { "1": "x" } }));
    expect(next.sessions.get(7)!.cells).toEqual([7, "app", 4, "select 1"]);
    expect(next.sessions.has(99)).toBe(false);
  });

  test("changes before any snapshot say nothing", () => {
    expect(reduce(NOTHING_YET, change({ "7": [7, "app", 3, "x"] }))).toBe(NOTHING_YET);
  });

  test("trouble keeps the sessions, and ends with the next changes", () => {
    const sick = reduce(started, { type: "trouble", data: { at: 12_000, kind: "hung", reason: "no answer in 10 s" } });
    expect(sick.sessions.size).toBe(2);
    expect(sick.trouble?.kind).toBe("hung");
    expect(reduce(sick, change({})).trouble).toBeNull();
  });

  test("a snapshot after a broken connection marks what is different", () => {
    const again = { ...first, sessions: { "7": [7, "app", 9, "select 2"], "12": [12, "late", 0, null] } };
    const next = reduce(started, { type: "snapshot", data: again });
    expect(isMarked(next, next.sessions.get(7)!, 3)).toBe(true);
    expect(isMarked(next, next.sessions.get(12)!, 1)).toBe(true);
    expect(next.sessions.has(9)).toBe(false);
  });

  test("an end is for good, but that of a server that shuts down is not", () => {
    expect(reduce(started, { type: "end", data: { reason: "shutdown" } }).ended).toBeNull();
    expect(reduce(started, { type: "end", data: { reason: "token" } }).ended).toBe("token");
  });
});
