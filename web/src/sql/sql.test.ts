import { expect, test } from "vitest";
import { layOut } from "./layout.ts";
import { lex } from "./lex.ts";

const odd = ["", "'never closed", "/* neither", "select `a``b`, \"x\\\"y\" -- end", "\u0000\ud800 select", "update t set a=0x1F, b=1.5e-3 where c in (1,2,3)", "💥'💥"];

test("the pieces together are the statement", () => {
  for (const sql of odd) expect(lex(sql).map(({ text }) => text).join("")).toBe(sql);
});

test("laying out changes white space only", () => {
  const sql = "select a, left(b, 2) from t left join u on t.id = u.id where a between 1 and 2 and b in (select x from y where z = 'a  b') group by a order by b limit 10";
  const laid = layOut(sql).map(({ text }) => text).join("");
  const bare = (text: string) => text.replace(/\s+/g, " ").replace(/ ?([()]) ?/g, "$1");
  expect(bare(laid)).toBe(bare(sql));
  expect(laid).toContain("'a  b'");
  expect(laid.split("\n").map((line) => line.trim().split(" ")[0])).toEqual(["select", "from", "left", "on", "where", "and", "select", "from", "where", ")", "group", "order", "limit"]);
});

test("what has lines already keeps them", () => {
  const sql = "select 1\nfrom   dual";
  expect(layOut(sql).map(({ text }) => text).join("")).toBe("select 1\nfrom dual".replace("from dual", "from   dual"));
});
