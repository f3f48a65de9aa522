/** The counts of the last minutes, for the chart. Pure. */

import type { Counts } from "./events.ts";

/** Five minutes at one a second. */
export const KEPT = 300;

export interface Moments {
  /** Seconds since 1970, then active, waiting, slow: what the chart draws. A hole is where nothing came. */
  seconds: number[];
  active: (number | null)[];
  waiting: (number | null)[];
  slow: (number | null)[];
}

export const NO_MOMENTS: Moments = { seconds: [], active: [], waiting: [], slow: [] };

/** With one more moment; of the same second the later one counts. */
export function withMoment(moments: Moments, at: number, counts: Counts, intervalMs: number): Moments {
  const second = Math.floor(at / 1000);
  const last = moments.seconds.at(-1);
  if (last !== undefined && second < last) return moments;
  const kept = last === second ? -1 : undefined;
  const next: Moments = {
    seconds: moments.seconds.slice(0, kept),
    active: moments.active.slice(0, kept),
    waiting: moments.waiting.slice(0, kept),
    slow: moments.slow.slice(0, kept),
  };
  if (last !== undefined && second - last > Math.max(5, (3 * intervalMs) / 1000)) push(next, second - 1, null);
  push(next, second, counts);
  const extra = next.seconds.length - KEPT;
  if (extra <= 0) return next;
  return {
    seconds: next.seconds.slice(extra),
    active: next.active.slice(extra),
    waiting: next.waiting.slice(extra),
    slow: next.slow.slice(extra),
  };
}

function push(moments: Moments, second: number, counts: Counts | null): void {
  moments.seconds.push(second);
  moments.active.push(counts?.active ?? null);
  moments.waiting.push(counts?.waiting ?? null);
  moments.slow.push(counts?.slow ?? null);
}
