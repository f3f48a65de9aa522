/** Builds trees from the wait graph: root blockers at the top, each waiter below its blocker. */

import type { Localized } from "../i18n/language.ts";
import type { Limitation } from "./events.ts";

export type Party = { session: number } | { transaction: number };

export interface Resource extends Localized<{ kind: string }> {
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

export type Role = "user" | "applier" | "internal" | "clew";

export interface PartyDetails {
  party: Party;
  role: Role;
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
  parties: PartyDetails[];
  vanished: Party[];
  unexplained: (Localized<{ why: string }> & { session: number; state: string })[];
  limitations: Limitation[];
}

export const keyOf = (party: Party): string => ("session" in party ? `s${party.session}` : `t${party.transaction}`);

/** Row of a lock tree. */
export interface LockTreeRow {
  key: string;
  party: Party;
  details: PartyDetails | null;
  /** Wait for the parent row; `null` for a root. */
  wait: Wait | null;
  depth: number;
  /** Number of rows below this row. */
  descendants: number;
  /** The root, if this row is one. */
  root: Root | null;
}

/** Returns each party once, at its smallest depth. Roots keep the order of the graph, most severe first. */
export function buildLockTree(graph: WaitGraph): LockTreeRow[] {
  const details = new Map(graph.parties.map((party) => [keyOf(party.party), party]));
  const waiters = new Map<string, Wait[]>();
  for (const wait of graph.waits) {
    const key = keyOf(wait.blocker);
    const list = waiters.get(key);
    if (list) list.push(wait);
    else waiters.set(key, [wait]);
  }
  const visited = new Set(graph.roots.flatMap((root) => root.parties.map(keyOf)));
  const children = new Map<string, Wait[]>();
  const descendants = new Map<string, number>();
  for (const root of graph.roots) {
    const order: Wait[] = [];
    const open = root.parties.map(keyOf);
    for (let at = 0; at < open.length; at += 1) {
      const blocker = open[at] ?? "";
      for (const wait of waiters.get(blocker) ?? []) {
        const waiter = keyOf(wait.waiter);
        if (visited.has(waiter)) continue;
        visited.add(waiter);
        children.set(blocker, [...(children.get(blocker) ?? []), wait]);
        order.push(wait);
        open.push(waiter);
      }
    }
    for (const wait of order.reverse()) {
      const blocker = keyOf(wait.blocker);
      descendants.set(blocker, (descendants.get(blocker) ?? 0) + (descendants.get(keyOf(wait.waiter)) ?? 0) + 1);
    }
  }
  const rows: LockTreeRow[] = [];
  for (const root of graph.roots) {
    for (const party of root.parties) {
      const inside =
        root.parties.length > 1
          ? graph.waits.find(
              (wait) =>
                keyOf(wait.waiter) === keyOf(party) && root.parties.some((one) => keyOf(one) === keyOf(wait.blocker)),
            )
          : undefined;
      // An explicit stack: recursion overflows on long chains.
      const open: LockTreeRow[] = [createRow(party, inside ?? null, 0, root)];
      for (let next = open.pop(); next; next = open.pop()) {
        rows.push(next);
        const depth = next.depth + 1;
        const nextRows = (children.get(next.key) ?? []).map((wait) => createRow(wait.waiter, wait, depth, null));
        nextRows.sort(
          (one, other) => other.descendants - one.descendants || (other.wait?.seconds ?? 0) - (one.wait?.seconds ?? 0),
        );
        open.push(...nextRows.reverse());
      }
    }
  }
  return rows;

  function createRow(party: Party, wait: Wait | null, depth: number, root: Root | null): LockTreeRow {
    const key = keyOf(party);
    return { key, party, details: details.get(key) ?? null, wait, depth, descendants: descendants.get(key) ?? 0, root };
  }
}

/** Returns true if the page offers to kill the session: only for running user sessions that are not rolling back. */
export function canBeKilled(details: PartyDetails | null): boolean {
  return (
    details !== null &&
    "session" in details.party &&
    details.role === "user" &&
    !details.gone &&
    details.transaction_state !== "ROLLING BACK"
  );
}
