/** The wait graph as trees: under each root blocker those who wait for it, and under them those who wait for them. Pure. */

import type { Limitation } from "./events.ts";

export type Party = { session: number } | { transaction: number };

export interface Resource {
  kind: string;
  schema: string | null;
  name: string | null;
  index: string | null;
  data: string | null;
}

export interface Wait {
  waiter: Party;
  blocker: Party;
  on: Resource;
  wanted: string;
  held: string | null;
  queued: boolean;
  inferred: boolean;
  seconds: number | null;
}

export interface Root {
  parties: Party[];
  holds: number;
  frees: number;
  longest_seconds: number;
}

export interface PartyFacts {
  party: Party;
  role: string;
  user: string | null;
  host: string | null;
  database: string | null;
  command: string | null;
  state: string | null;
  seconds: number | null;
  statement: string | null;
  last_statements: string[];
  transaction_id: number | null;
  transaction_state: string | null;
  transaction_seconds: number | null;
  rows_locked: number | null;
  rows_modified: number | null;
  xid: string | null;
  gone: boolean;
}

export interface WaitGraph {
  waits: Wait[];
  roots: Root[];
  cycles: Party[][];
  parties: PartyFacts[];
  vanished: Party[];
  unexplained: { session: number; state: string; why: string }[];
  limitations: Limitation[];
}

export const keyOf = (party: Party): string => ("session" in party ? `s${party.session}` : `t${party.transaction}`);

/** A line of the tree. */
export interface Branch {
  key: string;
  party: Party;
  facts: PartyFacts | null;
  /** Its wait for the line above; nothing for a root. */
  wait: Wait | null;
  depth: number;
  /** How many stand below it. */
  below: number;
  /** The root it belongs to, where it is one. */
  root: Root | null;
}

/** Every party once, as near to a root as it can be; roots as the graph has them, the worst first. */
export function forest(graph: WaitGraph): Branch[] {
  const facts = new Map(graph.parties.map((party) => [keyOf(party.party), party]));
  const waiters = new Map<string, Wait[]>();
  for (const wait of graph.waits) {
    const key = keyOf(wait.blocker);
    const list = waiters.get(key);
    if (list) list.push(wait);
    else waiters.set(key, [wait]);
  }
  const met = new Set(graph.roots.flatMap((root) => root.parties.map(keyOf)));
  const under = new Map<string, Wait[]>();
  const below = new Map<string, number>();
  for (const root of graph.roots) {
    const order: Wait[] = [];
    const open = root.parties.map(keyOf);
    for (let at = 0; at < open.length; at += 1) {
      const blocker = open[at] ?? "";
      for (const wait of waiters.get(blocker) ?? []) {
        const waiter = keyOf(wait.waiter);
        if (met.has(waiter)) continue;
        met.add(waiter);
        under.set(blocker, [...(under.get(blocker) ?? []), wait]);
        order.push(wait);
        open.push(waiter);
      }
    }
    for (const wait of order.reverse()) {
      const blocker = keyOf(wait.blocker);
      below.set(blocker, (below.get(blocker) ?? 0) + (below.get(keyOf(wait.waiter)) ?? 0) + 1);
    }
  }
  const lines: Branch[] = [];
  for (const root of graph.roots) {
    for (const party of root.parties) {
      const inside = root.parties.length > 1 ? graph.waits.find((wait) => keyOf(wait.waiter) === keyOf(party) && root.parties.some((one) => keyOf(one) === keyOf(wait.blocker))) : undefined;
      // A stack, not recursion: chains are as long as they are.
      const open: Branch[] = [line(party, inside ?? null, 0, root)];
      for (let next = open.pop(); next; next = open.pop()) {
        lines.push(next);
        const depth = next.depth + 1;
        const children = (under.get(next.key) ?? []).map((wait) => line(wait.waiter, wait, depth, null));
        children.sort((one, other) => other.below - one.below || (other.wait?.seconds ?? 0) - (one.wait?.seconds ?? 0));
        open.push(...children.reverse());
      }
    }
  }
  return lines;

  function line(party: Party, wait: Wait | null, depth: number, root: Root | null): Branch {
    const key = keyOf(party);
    return { key, party, facts: facts.get(key) ?? null, wait, depth, below: below.get(key) ?? 0, root };
  }
}

/** Whether the page offers to kill it: a user's session that is still there and is not being undone. */
export function canBeKilled(facts: PartyFacts | null): boolean {
  return facts !== null && "session" in facts.party && facts.role === "user" && !facts.gone && facts.transaction_state !== "ROLLING BACK";
}
