/** SQL formatter: adds line breaks and indentation. Only whitespace changes. */

import { type SqlToken, tokenizeSql } from "./tokenizer.ts";

const LINE_STARTERS = new Set([
  "select",
  "from",
  "where",
  "having",
  "limit",
  "union",
  "values",
  "set",
  "returning",
  "window",
]);
const BY_PREFIXES = new Set(["group", "order", "partition"]);
const JOIN_WORDS = new Set(["join", "straight_join", "left", "right", "inner", "cross", "natural"]);
const INDENTED_LINE_STARTERS = new Set(["and", "or", "on"]);

/** Maximum length of a formatted statement. The rest of a longer statement is not tokenized. */
const MAX_FORMATTED_LEN = 50_000;

export function formatSql(sql: string): SqlToken[] {
  const tokens = tokenizeSql(sql.length > MAX_FORMATTED_LEN ? sql.slice(0, MAX_FORMATTED_LEN) : sql);
  if (sql.length > MAX_FORMATTED_LEN) tokens.push({ kind: "text", text: sql.slice(MAX_FORMATTED_LEN) });
  if (sql.includes("\n") || sql.length > MAX_FORMATTED_LEN) return tokens;
  const out: SqlToken[] = [];
  const parens: number[] = [];
  let depth = 0;
  let between = false;
  let atLineStart = true;
  let lastWord = "";
  const breakLine = (more: number) => {
    while (out.at(-1)?.kind === "space") out.pop();
    if (out.length > 0) out.push({ kind: "space", text: `\n${"  ".repeat(depth + more)}` });
    atLineStart = true;
  };
  tokens.forEach((token, at) => {
    const word = token.text.toLowerCase();
    if (token.kind === "space") {
      if (!atLineStart) out.push({ kind: "space", text: " " });
      return;
    }
    if (token.kind === "keyword") {
      const following = nextWord(tokens, at);
      if (word === "between") between = true;
      const call = following === "(" && (word === "left" || word === "right" || word === "values");
      const setStatement = word === "set" && lastWord === "";
      if (call || setStatement) {
        // No line break: a function name, or SET as the first word.
      } else if (LINE_STARTERS.has(word) || (BY_PREFIXES.has(word) && following === "by" && parens.at(-1) !== 0))
        breakLine(0);
      else if (JOIN_WORDS.has(word) && !JOIN_WORDS.has(lastWord) && lastWord !== "outer") breakLine(0);
      else if (word === "and" && between) between = false;
      else if (INDENTED_LINE_STARTERS.has(word) && lastWord !== "duplicate") breakLine(1);
    }
    if (token.text === ")") {
      const opened = parens.pop();
      if (opened === 1) {
        depth -= 1;
        breakLine(0);
      }
    }
    out.push(token);
    atLineStart = false;
    if (token.text === "(") {
      const sub = nextWord(tokens, at) === "select";
      parens.push(sub ? 1 : 0);
      if (sub) depth += 1;
    }
    if (token.kind !== "comment") lastWord = word;
  });
  return out;
}

function nextWord(tokens: readonly SqlToken[], at: number): string {
  return (
    tokens
      .slice(at + 1, at + 4)
      .find((token) => token.kind !== "space" && token.kind !== "comment")
      ?.text.toLowerCase() ?? ""
  );
}
