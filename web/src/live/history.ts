/** Session counts of the last minutes for the chart. */

import type { Counts } from "./events.ts";

/** Number of points: five minutes at one point per second. */
export const MAX_POINTS = 300;

/** One array per series. `null` marks a gap in the events. */
export interface CountHistory {
  /** Unix timestamps in seconds. */
  seconds: number[];
  active: (number | null)[];
  waiting: (number | null)[];
  slow: (number | null)[];
}

export const EMPTY_HISTORY: CountHistory = { seconds: [], active: [], waiting: [], slow: [] };

/** Returns the history with one more point. A second point within the same second replaces the first. */
export function appendCounts(history: CountHistory, at: number, counts: Counts, intervalMs: number): CountHistory {
  const second = Math.floor(at / 1000);
  const last = history.seconds.at(-1);
  if (last !== undefined && second < last) return history;
  const end = last === second ? -1 : undefined;
  const next: CountHistory = {
    seconds: history.seconds.slice(0, end),
    active: history.active.slice(0, end),
    waiting: history.waiting.slice(0, end),
    slow: history.slow.slice(0, end),
  };
  if (last !== undefined && second - last > Math.max(5, (3 * intervalMs) / 1000)) push(next, second - 1, null);
  push(next, second, counts);
  const excess = next.seconds.length - MAX_POINTS;
  if (excess <= 0) return next;
  return {
    seconds: next.seconds.slice(excess),
    active: next.active.slice(excess),
    waiting: next.waiting.slice(excess),
    slow: next.slow.slice(excess),
  };
}

function push(history: CountHistory, second: number, counts: Counts | null): void {
  history.seconds.push(second);
  history.active.push(counts?.active ?? null);
  history.waiting.push(counts?.waiting ?? null);
  history.slow.push(counts?.slow ?? null);
}
