/** What the query bar offers while one types. Pure. */

import { quoted, TERMS, termOf, tokens } from "./parse.ts";

export interface Offer {
  /** What is typed by it, from `start` of the bar to `end`. */
  text: string;
  start: number;
  end: number;
  /** What it means: a key of the catalogue for a name, a count for a value. */
  key: string | null;
  count: number | null;
}

/** Values that are on screen now, the most frequent first. */
export type Seen = (key: string) => readonly { value: string; count: number }[];

const MOST = 8;

/** What could stand where the caret is. */
export function offers(bar: string, caret: number, seen: Seen): Offer[] {
  const token = tokens(bar).find(({ start, end }) => start <= caret && caret <= end) ?? null;
  const start = token?.start ?? caret;
  const end = token?.end ?? caret;
  if (token?.key != null) {
    const term = termOf(token.key);
    if (!term) return [];
    const typed = token.value.toLowerCase();
    const values = term.values
      ? term.values.map((value) => ({ value, count: null }))
      : seen(term.key).map(({ value, count }) => ({ value, count }));
    const fitting = values.filter(({ value }) => value.toLowerCase().includes(typed) && value !== token.value);
    return fitting.slice(0, MOST).map(({ value, count }) => ({ text: `${term.key}:${quoted(value)} `, start, end, key: null, count }));
  }
  const typed = (token?.text ?? "").toLowerCase();
  const used = new Set(tokens(bar).map(({ key }) => (key === null ? null : termOf(key)?.key)));
  return TERMS.filter(({ key, aliases }) => !used.has(key) && [key, ...aliases].some((name) => name.startsWith(typed)))
    .map(({ key }) => ({ text: `${key}:`, start, end, key, count: null }));
}

/** The bar with an offer taken, and where the caret is then. */
export function taken(bar: string, offer: Offer): { bar: string; caret: number } {
  const rest = bar.slice(offer.end);
  const text = offer.text.endsWith(" ") && rest.startsWith(" ") ? offer.text.trimEnd() : offer.text;
  return { bar: bar.slice(0, offer.start) + text + rest, caret: offer.start + text.length + (text === offer.text ? 0 : 1) };
}
