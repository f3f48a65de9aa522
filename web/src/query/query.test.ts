import { describe, expect, test } from "vitest";
import type { Session } from "../live/reduce.ts";
import { breakdown, cellOf, hostOf, passing, placesOf, selected, URGENCY } from "./apply.ts";
import { offers, taken } from "./complete.ts";
import { collectionOf, parse, quoted, toggled, written } from "./parse.ts";

describe("the query bar", () => {
  test("reads every filter of the API", () => {
    const bar = 'filter:slow threshold:5 user:app host:10.0.0.1:4410 db:shop command:Query sql:"for update" sort:trx_id dir:asc';
    const { filters, mistakes } = parse(bar);
    expect(mistakes).toEqual([]);
    expect(collectionOf(filters)).toEqual({
      body: { filter: "slow", slow_process_threshold: 5, user: "app", host: "10.0.0.1:4410", db: "shop", command: "Query", sql_key: "for update", sort_key: "trx_id", sort_dir: "asc" },
      left: [],
    });
    expect(parse(written(filters)).filters).toEqual(filters);
  });

  test("takes the API's own names too", () => {
    expect(parse("slow_process_threshold:7 sql_key:update").filters).toEqual({ threshold: "7", sql: "update" });
  });

  test("looks for words without a name in the statement", () => {
    expect(parse("update  orders").filters).toEqual({ sql: "update orders" });
  });

  test("says what is wrong, and uses the rest", () => {
    const { filters, mistakes } = parse("usr:app filter:fast threshold:0 threshold:x db:shop db:other");
    expect(filters).toEqual({ db: "shop" });
    expect(mistakes.map(({ kind, word }) => `${kind} ${word}`)).toEqual(["unknown usr", "value fast", "number 0", "number x", "twice db"]);
  });

  test("a value that is not there yet is no mistake", () => {
    expect(parse("user:")).toEqual({ filters: {}, mistakes: [] });
  });

  test("quotes come back as they were", () => {
    for (const value of ['say "hi"', "two words", "", "plain", "a:b"]) {
      const filters = { sql: value };
      if (value !== "") expect(parse(written(filters)).filters).toEqual(filters);
      expect(quoted(value)).not.toBe(" ");
    }
  });

  test("what no collection can be asked for is told", () => {
    expect(collectionOf(parse("template:x waits:yes user:a").filters)).toEqual({ body: { user: "a" }, left: ["template", "waits"] });
  });

  test("a click sets a filter, a second takes it out", () => {
    const once = toggled("user:app", "host", "10.0.0.1");
    expect(once).toBe("user:app host:10.0.0.1");
    expect(toggled(once, "host", "10.0.0.1")).toBe("user:app");
  });
});

describe("completion", () => {
  const seen = (key: string) => (key === "user" ? [{ value: "app", count: 3 }, { value: "two words", count: 1 }] : []);

  test("offers names, then values that are on screen", () => {
    expect(offers("us", 2, seen).map(({ text }) => text)).toEqual(["user:"]);
    expect(offers("user:", 5, seen).map(({ text, count }) => [text, count])).toEqual([["user:app ", 3], ['user:"two words" ', 1]]);
    expect(offers("filter:", 7, seen).map(({ text }) => text)).toEqual(["filter:total ", "filter:active ", "filter:slow ", "filter:long "]);
  });

  test("offers no name twice", () => {
    expect(offers("user:app ", 9, seen).some(({ text }) => text === "user:")).toBe(false);
    expect(offers("user:app ", 9, seen).some(({ text }) => text === "host:")).toBe(true);
  });

  test("puts in what was taken where it belongs", () => {
    const bar = "us db:shop";
    const offer = offers(bar, 2, seen)[0]!;
    expect(taken(bar, offer)).toEqual({ bar: "user: db:shop", caret: 5 });
  });
});

const columns = ["session_id", "user", "host", "database_name", "command", "sql_statement", "state_duration", "transaction_duration", "blocker_id", "sql_template"];
const places = placesOf({ columns, running: [6, 7], at: 5000 });
const session = (id: number, cells: (string | number | null)[]): Session => ({ id, cells: [id, ...cells], told: 5000, changed: 0, changedAt: 0 });
const all = [
  session(1, ["app", "10.0.0.1:4410", "shop", "Query", "SELECT * FROM orders WHERE id = 1", 12, 30, null, "SELECT * FROM orders WHERE id = ?"]),
  session(2, ["app", "10.0.0.2:4411", "shop", "Sleep", null, 900, null, null, null]),
  session(3, ["report", "[fe80::1]:80", null, "Execute", "select * from orders where id = 2", 9, 8, 1, "select * from orders where id = ?"]),
  session(10, ["app", "localhost", "crm", "Query", "update orders set a = 'x'", 12, null, null, "update orders set a = ?"]),
];
const shown = (bar: string) => all.filter(passing(parse(bar).filters, places)).map(({ id }) => id);

describe("filters mean what the API means", () => {
  test.each([
    ["", [1, 2, 3, 10]],
    ["filter:active", [1, 3, 10]],
    ["filter:slow", [1, 10]],
    ["filter:slow threshold:9", [1, 3, 10]],
    ["filter:long", [1]],
    ["user:app", [1, 2, 10]],
    ["user:APP", []],
    ["host:10.0.0.1", [1]],
    ["host:10.0.0.1:4410", [1]],
    ["host:10.0.0.1:1", []],
    ["host:[fe80::1]", [3]],
    ["command:query", [1, 10]],
    ["sql:ORDERS", [1, 3, 10]],
    ["waits:yes", [3]],
    ["id:10", [10]],
    ["user:app db:crm", [10]],
    ['template:"update orders set a = ?"', [10]],
  ])("%s", (bar, ids) => expect(shown(bar)).toEqual(ids));

  test("order: numbers as numbers, empty last in both directions, then by id", () => {
    const ordered = (column: string, descending: boolean) => selected(all, () => true, places, { column, descending }).map(({ id }) => id);
    expect(ordered("state_duration", true)).toEqual([2, 1, 10, 3]);
    expect(ordered("transaction_duration", true)).toEqual([1, 3, 2, 10]);
    expect(ordered("transaction_duration", false)).toEqual([3, 1, 2, 10]);
    expect(ordered("session_id", false)).toEqual([1, 2, 3, 10]);
  });

  test("the worst first: who waits, who runs, whose transaction lies open, the rest", () => {
    const idle = session(20, ["app", "h:1", "shop", "Sleep", null, 5000, 40, null, null]);
    const ordered = selected([...all, idle], () => true, places, { column: URGENCY, descending: true });
    expect(ordered.map(({ id }) => id)).toEqual([3, 1, 10, 20, 2]);
  });

  test("an age goes on until the moment that is shown", () => {
    const later = placesOf({ columns, running: [6, 7], at: 8900 });
    expect(all.filter(passing(parse("filter:slow threshold:15").filters, places)).map(({ id }) => id)).toEqual([]);
    expect(all.filter(passing(parse("filter:slow threshold:15").filters, later)).map(({ id }) => id)).toEqual([1, 10]);
    expect(cellOf(all[1]!, later, "transaction_duration")).toBeNull();
  });

  test("breakdown counts, the most first; a statement's literals do not matter", () => {
    expect(breakdown(all, places, "user").map(({ value, count, active }) => [value, count, active])).toEqual([["app", 3, 2], ["report", 1, 1]]);
    expect(breakdown(all, places, "template").map(({ value }) => value)).toContain("update orders set a = ?");
    expect(breakdown(all, places, "host").map(({ value }) => value)).toContain("fe80::1");
  });

  test("hosts lose their port only", () => {
    expect(["10.0.0.1:80", "[::1]:80", "::1", "localhost", "db:x"].map(hostOf)).toEqual(["10.0.0.1", "::1", "::1", "localhost", "db:x"]);
  });
});
