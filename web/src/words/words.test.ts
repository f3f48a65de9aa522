import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bytes, duration } from "./amounts.ts";
import { en } from "./en.ts";
import { say, type Word } from "./words.ts";
import { zh } from "./zh.ts";

const words = Object.keys(en) as Word[];
const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

describe("both languages", () => {
  test("have the same words", () => expect(Object.keys(zh).sort()).toEqual([...words].sort()));

  test.each(words)("%s is said with the same values", (word) => {
    expect(zh[word].trim()).not.toBe("");
    for (const form of [...en[word].split("|"), ...zh[word].split("|")]) expect(new Set(names(form))).toSatisfy((found: Set<string>) => [...found].every((name) => names(en[word]).includes(name)));
    expect([...new Set(names(en[word]))].filter((name) => !names(zh[word]).includes(name))).toEqual([]);
  });

  test("have no word that nobody says, and the page says none that is missing", () => {
    const root = new URL("..", import.meta.url).pathname;
    const sources = readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((file) => /\.tsx?$/.test(file) && !/words\/(en|zh)|\.test\./.test(file))
      .map((file) => readFileSync(`${root}/${file}`, "utf8"))
      .join("\n");
    const made = [...sources.matchAll(/`([a-z.-]+\.)\$\{/g)].map((match) => match[1] ?? "");
    const unsaid = words.filter((word) => !sources.includes(`"${word}"`) && !made.some((prefix) => word.startsWith(prefix)));
    expect(unsaid).toEqual([]);
  });
});

test("one and many", () => {
  expect(say("en-us", "sessions.n", { n: 1 })).toBe("1 session");
  expect(say("en-us", "sessions.n", { n: 12_000 })).toBe("12,000 sessions");
  expect(say("zh-cn", "sessions.n", { n: 1 })).toBe("1 个会话");
});

test("durations and sizes are short", () => {
  expect([0, 59.9, 61, 3600, 90_000].map(duration)).toEqual(["0 s", "59 s", "1 m 01 s", "1 h 00 m", "1 d 01 h"]);
  expect([999, 1500, 25_000_000].map(bytes)).toEqual(["999 B", "1.5 kB", "25 MB"]);
});
