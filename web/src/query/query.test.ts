import { describe, expect, test } from "vitest";
import type { Session } from "../live/reduce.ts";
import { breakdown, cellLayout, cellOf, compileFilters, filterAndSort, hostOf, SEVERITY_ORDER } from "./apply.ts";
import { applyCompletion, completions } from "./complete.ts";
import { collectionRequest, formatFilters, parse, quoteValue, toggleFilter } from "./parse.ts";

describe("the query bar", () => {
  test("parses every filter of the API", () => {
    const bar =
      'filter:slow threshold:5 user:app host:10.0.0.1:4410 db:shop command:Query sql:"for update" sort:trx_id dir:asc';
    const { filters, errors } = parse(bar);
    expect(errors).toEqual([]);
    expect(collectionRequest(filters)).toEqual({
      body: {
        filter: "slow",
        slow_process_threshold: 5,
        user: "app",
        host: "10.0.0.1:4410",
        db: "shop",
        command: "Query",
        sql_key: "for update",
        sort_key: "trx_id",
        sort_dir: "asc",
      },
      unsupported: [],
    });
    expect(parse(formatFilters(filters)).filters).toEqual(filters);
  });

  test("accepts the parameter names of the API", () => {
    expect(parse("slow_process_threshold:7 sql_key:update").filters).toEqual({ threshold: "7", sql: "update" });
  });

  test("searches words without a filter name in the statement", () => {
    expect(parse("update  orders").filters).toEqual({ sql: "update orders" });
  });

  test("reports errors and keeps the valid filters", () => {
    const { filters, errors } = parse("usr:app filter:fast threshold:0 threshold:x db:shop db:other");
    expect(filters).toEqual({ db: "shop" });
    expect(errors.map(({ kind, word }) => `${kind} ${word}`)).toEqual([
      "unknown usr",
      "value fast",
      "number 0",
      "number x",
      "duplicate db",
    ]);
  });

  test("an empty value is not an error", () => {
    expect(parse("user:")).toEqual({ filters: {}, errors: [] });
  });

  test("quoted values survive a round trip", () => {
    for (const value of ['say "hi"', "two words", "plain", "a:b"]) {
      const filters = { sql: value };
      expect(parse(formatFilters(filters)).filters).toEqual(filters);
    }
    expect(quoteValue("")).not.toBe(" ");
  });

  test("unsupported filters of collections are returned", () => {
    expect(collectionRequest(parse("template:x waits:yes user:a").filters)).toEqual({
      body: { user: "a" },
      unsupported: ["template", "waits"],
    });
  });

  test("a filter is toggled", () => {
    const once = toggleFilter("user:app", "host", "10.0.0.1");
    expect(once).toBe("user:app host:10.0.0.1");
    expect(toggleFilter(once, "host", "10.0.0.1")).toBe("user:app");
  });
});

describe("completion", () => {
  const displayedValues = (key: string) =>
    key === "user"
      ? [
          { value: "app", count: 3 },
          { value: "two words", count: 1 },
        ]
      : [];

  test("completes names, then displayed values", () => {
    expect(completions("us", 2, displayedValues).map(({ text }) => text)).toEqual(["user:"]);
    expect(completions("user:", 5, displayedValues).map(({ text, count }) => [text, count])).toEqual([
      ["user:app ", 3],
      ['user:"two words" ', 1],
    ]);
    expect(completions("filter:", 7, displayedValues).map(({ text }) => text)).toEqual([
      "filter:total ",
      "filter:active ",
      "filter:slow ",
      "filter:long ",
    ]);
  });

  test("does not repeat used names", () => {
    expect(completions("user:app ", 9, displayedValues).some(({ text }) => text === "user:")).toBe(false);
    expect(completions("user:app ", 9, displayedValues).some(({ text }) => text === "host:")).toBe(true);
  });

  test("applies a completion at its position", () => {
    const bar = "us db:shop";
    const completion = completions(bar, 2, displayedValues)[0]!;
    expect(applyCompletion(bar, completion)).toEqual({ bar: "user: db:shop", caret: 5 });
  });
});

const columns = [
  "session_id",
  "user",
  "host",
  "database_name",
  "command",
  "sql_statement",
  "state_duration",
  "transaction_duration",
  "blocker_id",
  "sql_template",
];
const layout = cellLayout({ columns, running: [6, 7], at: 5000 });
const session = (id: number, cells: (string | number | null)[]): Session => ({
  id,
  cells: [id, ...cells],
  receivedAt: 5000,
  changed: 0,
  changedAt: 0,
});
const all = [
  session(1, [
    "app",
    "10.0.0.1:4410",
    "shop",
    "Query",
    "SELECT * FROM orders WHERE id = 1",
    12,
    30,
    null,
    "SELECT * FROM orders WHERE id = ?",
  ]),
  session(2, ["app", "10.0.0.2:4411", "shop", "Sleep", null, 900, null, null, null]),
  session(3, [
    "report",
    "[fe80::1]:80",
    null,
    "Execute",
    "select * from orders where id = 2",
    9,
    8,
    1,
    "select * from orders where id = ?",
  ]),
  session(10, [
    "app",
    "localhost",
    "crm",
    "Query",
    "update orders set a = 'x'",
    12,
    null,
    null,
    "update orders set a = ?",
  ]),
];
const shown = (bar: string) => all.filter(compileFilters(parse(bar).filters, layout)).map(({ id }) => id);

describe("filters have the semantics of the API", () => {
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

  test("numbers sort numerically, empty cells last in both directions, ties by id", () => {
    const ordered = (column: string, descending: boolean) =>
      filterAndSort(all, () => true, layout, { column, descending }).map(({ id }) => id);
    expect(ordered("state_duration", true)).toEqual([2, 1, 10, 3]);
    expect(ordered("transaction_duration", true)).toEqual([1, 3, 2, 10]);
    expect(ordered("transaction_duration", false)).toEqual([3, 1, 2, 10]);
    expect(ordered("session_id", false)).toEqual([1, 2, 3, 10]);
  });

  test("severity order: waiting, active, open transaction, rest", () => {
    const idle = session(20, ["app", "h:1", "shop", "Sleep", null, 5000, 40, null, null]);
    const ordered = filterAndSort([...all, idle], () => true, layout, { column: SEVERITY_ORDER, descending: true });
    expect(ordered.map(({ id }) => id)).toEqual([3, 1, 10, 20, 2]);
  });

  test("running values advance to the time of display", () => {
    const later = cellLayout({ columns, running: [6, 7], at: 8900 });
    expect(all.filter(compileFilters(parse("filter:slow threshold:15").filters, layout)).map(({ id }) => id)).toEqual(
      [],
    );
    expect(all.filter(compileFilters(parse("filter:slow threshold:15").filters, later)).map(({ id }) => id)).toEqual([
      1, 10,
    ]);
    expect(cellOf(all[1]!, later, "transaction_duration")).toBeNull();
  });

  test("breakdown is sorted by count and groups statements by template", () => {
    expect(breakdown(all, layout, "user").map(({ value, count, active }) => [value, count, active])).toEqual([
      ["app", 3, 2],
      ["report", 1, 1],
    ]);
    expect(breakdown(all, layout, "template").map(({ value }) => value)).toContain("update orders set a = ?");
    expect(breakdown(all, layout, "host").map(({ value }) => value)).toContain("fe80::1");
  });

  test("hostOf removes only the port", () => {
    expect(["10.0.0.1:80", "[::1]:80", "::1", "localhost", "db:x"].map(hostOf)).toEqual([
      "10.0.0.1",
      "::1",
      "::1",
      "localhost",
      "db:x",
    ]);
  });
});
