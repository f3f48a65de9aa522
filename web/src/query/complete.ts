/** Completion of the query bar. */

import { quoteValue, findTerm, TERMS, tokenize } from "./parse.ts";

export interface Completion {
  /** Replacement of the text between `start` and `end`. */
  text: string;
  start: number;
  end: number;
  /** Filter name of a name completion; `null` for a value. */
  key: string | null;
  count: number | null;
}

/** Returns the displayed values of a filter in descending order of frequency. */
export type DisplayedValues = (key: string) => readonly { value: string; count: number }[];

const MAX_VALUES = 8;

/** Returns the completions at the caret. */
export function completions(bar: string, caret: number, displayedValues: DisplayedValues): Completion[] {
  const token = tokenize(bar).find(({ start, end }) => start <= caret && caret <= end) ?? null;
  const start = token?.start ?? caret;
  const end = token?.end ?? caret;
  if (token?.key != null) {
    const term = findTerm(token.key);
    if (!term) return [];
    const typed = token.value.toLowerCase();
    const values = term.values
      ? term.values.map((value) => ({ value, count: null }))
      : displayedValues(term.key).map(({ value, count }) => ({ value, count }));
    const matching = values.filter(({ value }) => value.toLowerCase().includes(typed) && value !== token.value);
    return matching
      .slice(0, MAX_VALUES)
      .map(({ value, count }) => ({ text: `${term.key}:${quoteValue(value)} `, start, end, key: null, count }));
  }
  const typed = (token?.text ?? "").toLowerCase();
  const used = new Set(tokenize(bar).map(({ key }) => (key === null ? null : findTerm(key)?.key)));
  return TERMS.filter(
    ({ key, aliases }) => !used.has(key) && [key, ...aliases].some((name) => name.startsWith(typed)),
  ).map(({ key }) => ({ text: `${key}:`, start, end, key, count: null }));
}

/** Applies a completion and returns the new text and caret. */
export function applyCompletion(bar: string, completion: Completion): { bar: string; caret: number } {
  const rest = bar.slice(completion.end);
  const text = completion.text.endsWith(" ") && rest.startsWith(" ") ? completion.text.trimEnd() : completion.text;
  return {
    bar: bar.slice(0, completion.start) + text + rest,
    caret: completion.start + text.length + (text === completion.text ? 0 : 1),
  };
}
