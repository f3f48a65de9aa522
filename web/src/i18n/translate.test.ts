import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { en, type Message } from "./en.ts";
import { bytes, duration } from "./format.ts";
import { type MessageKey, translate } from "./translate.ts";
import { zh } from "./zh.ts";

const keys = Object.keys(en) as MessageKey[];
const textsOf = (message: Message): string[] => (typeof message === "string" ? [message] : Object.values(message));
const placeholdersOf = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([placeholder]) => placeholder).sort();

describe("both languages", () => {
  test("have the same keys", () => expect(Object.keys(zh).sort()).toEqual([...keys].sort()));

  test.each(keys)("%s has the same placeholders", (key) => {
    const [first, ...others] = [...textsOf(en[key]), ...textsOf(zh[key])].map(placeholdersOf);
    for (const placeholders of others) expect(placeholders).toEqual(first);
  });

  test.each(keys)("%s has all plural forms of the language, and no empty text", (key) => {
    for (const [locale, message] of [["en-us", en[key]] as const, ["zh-cn", zh[key]] as const]) {
      const categories = new Intl.PluralRules(locale).resolvedOptions().pluralCategories;
      const forms = typeof message === "string" ? categories : Object.keys(message);
      expect([...forms].sort()).toEqual([...categories].sort());
      expect(textsOf(message).map((text) => text.trim())).not.toContain("");
    }
  });

  test("have no unused keys", () => {
    const root = new URL("..", import.meta.url).pathname;
    const sources = readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((file) => /\.tsx?$/.test(file) && !/i18n\/(en|zh)|\.test\./.test(file))
      .map((file) => readFileSync(`${root}/${file}`, "utf8"))
      .join("\n");
    const prefixes = [...sources.matchAll(/`([a-z.-]+\.)\$\{/g)].map((match) => match[1] ?? "");
    const unused = keys.filter(
      (key) => !sources.includes(`"${key}"`) && !prefixes.some((prefix) => key.startsWith(prefix)),
    );
    expect(unused).toEqual([]);
  });
});

test("n selects the plural form", () => {
  expect(translate("en-us", "sessions.n", { n: 1 })).toBe("1 session");
  expect(translate("en-us", "sessions.n", { n: 0 })).toBe("0 sessions");
  expect(translate("en-us", "sessions.n", { n: 12_000 })).toBe("12,000 sessions");
  expect(translate("zh-cn", "sessions.n", { n: 1 })).toBe("1 个会话");
});

test("durations and sizes are abbreviated", () => {
  expect([0, 59.9, 61, 3600, 90_000].map(duration)).toEqual(["0 s", "59 s", "1 m 01 s", "1 h 00 m", "1 d 01 h"]);
  expect([999, 1500, 25_000_000].map(bytes)).toEqual(["999 B", "1.5 kB", "25 MB"]);
});
