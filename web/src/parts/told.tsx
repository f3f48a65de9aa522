/** Short messages at the edge of the page, for eyes and for screen readers. */

import { useSyncExternalStore } from "react";

interface Told {
  id: number;
  text: string;
}

const STAYS_MS = 6000;
let all: readonly Told[] = [];
let next = 0;
const listeners = new Set<() => void>();

function become(list: readonly Told[]): void {
  all = list;
  listeners.forEach((told) => told());
}

export function tell(text: string): void {
  next += 1;
  const id = next;
  become([...all.filter((one) => one.text !== text), { id, text }].slice(-3));
  setTimeout(() => become(all.filter((one) => one.id !== id)), STAYS_MS);
}

export function ToldList() {
  const list = useSyncExternalStore(
    (told) => {
      listeners.add(told);
      return () => listeners.delete(told);
    },
    () => all,
  );
  return (
    <div className="told" role="status" aria-live="polite">
      {list.map(({ id, text }) => (
        <div key={id}>{text}</div>
      ))}
    </div>
  );
}
