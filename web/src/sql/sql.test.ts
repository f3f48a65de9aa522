import { expect, test } from "vitest";
import { formatSql } from "./format.ts";
import { tokenizeSql } from "./tokenizer.ts";

const inputs = [
  "",
  "'never closed",
  "/* neither",
  'select `a``b`, "x\\"y" -- end',
  "\u0000\ud800 select",
  "update t set a=0x1F, b=1.5e-3 where c in (1,2,3)",
  "💥'💥",
];

test("concatenated tokens equal the statement", () => {
  for (const sql of inputs)
    expect(
      tokenizeSql(sql)
        .map(({ text }) => text)
        .join(""),
    ).toBe(sql);
});

test("formatting changes only white space", () => {
  const sql =
    "select a, left(b, 2) from t left join u on t.id = u.id where a between 1 and 2 and b in (select x from y where z = 'a  b') group by a order by b limit 10";
  const formatted = formatSql(sql)
    .map(({ text }) => text)
    .join("");
  const normalize = (text: string) => text.replace(/\s+/g, " ").replace(/ ?([()]) ?/g, "$1");
  expect(normalize(formatted)).toBe(normalize(sql));
  expect(formatted).toContain("'a  b'");
  expect(formatted.split("\n").map((line) => line.trim().split(" ")[0])).toEqual([
    "select",
    "from",
    "left",
    "on",
    "where",
    "and",
    "select",
    "from",
    "where",
    ")",
    "group",
    "order",
    "limit",
  ]);
});

test("existing line breaks are preserved", () => {
  const sql = "select 1\nfrom   dual";
  expect(
    formatSql(sql)
      .map(({ text }) => text)
      .join(""),
  ).toBe("select 1\nfrom dual".replace("from dual", "from   dual"));
});
