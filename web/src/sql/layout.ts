/** A statement laid out in lines for reading. The words stay as they are; only white space changes. */

import { lex, type Piece } from "./lex.ts";

const NEW_LINE = new Set(["select", "from", "where", "having", "limit", "union", "values", "set", "returning", "window"]);
const BEFORE_BY = new Set(["group", "order", "partition"]);
const JOINS = new Set(["join", "straight_join", "left", "right", "inner", "cross", "natural"]);
const INDENTED = new Set(["and", "or", "on"]);

/** Longer ones are shown as they came: nobody reads a megabyte. */
const LONGEST = 50_000;

export function layOut(sql: string): Piece[] {
  const pieces = lex(sql.length > LONGEST ? sql.slice(0, LONGEST) : sql);
  if (sql.length > LONGEST) pieces.push({ kind: "text", text: sql.slice(LONGEST) });
  if (sql.includes("\n") || sql.length > LONGEST) return pieces;
  const out: Piece[] = [];
  const parens: number[] = [];
  let depth = 0;
  let between = false;
  let fresh = true;
  let lastWord = "";
  const broken = (more: number) => {
    while (out.at(-1)?.kind === "space") out.pop();
    if (out.length > 0) out.push({ kind: "space", text: `\n${"  ".repeat(depth + more)}` });
    fresh = true;
  };
  pieces.forEach((piece, at) => {
    const word = piece.text.toLowerCase();
    if (piece.kind === "space") {
      if (!fresh) out.push({ kind: "space", text: " " });
      return;
    }
    if (piece.kind === "keyword") {
      const following = nextWord(pieces, at);
      if (word === "between") between = true;
      const call = following === "(" && (word === "left" || word === "right" || word === "values");
      const update = word === "set" && lastWord === "";
      if (call || update) {
        // A function's name, or the first word.
      } else if (NEW_LINE.has(word) || (BEFORE_BY.has(word) && following === "by" && parens.at(-1) !== 0)) broken(0);
      else if (JOINS.has(word) && !JOINS.has(lastWord) && lastWord !== "outer") broken(0);
      else if (word === "and" && between) between = false;
      else if (INDENTED.has(word) && lastWord !== "duplicate") broken(1);
    }
    if (piece.text === ")") {
      const opened = parens.pop();
      if (opened === 1) {
        depth -= 1;
        broken(0);
      }
    }
    out.push(piece);
    fresh = false;
    if (piece.text === "(") {
      const sub = nextWord(pieces, at) === "select";
      parens.push(sub ? 1 : 0);
      if (sub) depth += 1;
    }
    if (piece.kind !== "comment") lastWord = word;
  });
  return out;
}

function nextWord(pieces: readonly Piece[], at: number): string {
  return pieces.slice(at + 1, at + 4).find((piece) => piece.kind !== "space" && piece.kind !== "comment")?.text.toLowerCase() ?? "";
}
