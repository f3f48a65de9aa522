/** The keyboard: what each key does stands here once, for the page and for its list of keys. */

import { useEffect, useRef } from "react";
import type { Word } from "../words/words.ts";

export interface Key {
  keys: string;
  word: Word;
}

/** Keys by where they work. */
export const KEYS: readonly { where: Word; keys: readonly Key[] }[] = [
  {
    where: "keys.everywhere",
    keys: [
      { keys: "?", word: "keys.help" },
      { keys: "g i", word: "keys.instances" },
      { keys: "g s", word: "keys.sessions" },
      { keys: "g l", word: "keys.locks" },
      { keys: "g c", word: "keys.cure" },
      { keys: "g e", word: "keys.collections" },
      { keys: "g a", word: "keys.go.access" },
      { keys: "t", word: "keys.theme" },
      { keys: "Escape", word: "keys.escape" },
    ],
  },
  {
    where: "keys.of.sessions",
    keys: [
      { keys: "/", word: "keys.query" },
      { keys: "p", word: "keys.pause" },
      { keys: "j", word: "keys.down" },
      { keys: "k", word: "keys.up" },
      { keys: "Enter", word: "keys.open" },
      { keys: "x", word: "keys.choose" },
      { keys: "a", word: "keys.choose.all" },
      { keys: "Shift+K", word: "keys.kill" },
      { keys: "c", word: "keys.columns" },
      { keys: "e", word: "keys.export" },
    ],
  },
];

/** How a pressed key is called in the table. */
export function nameOf(event: Pick<KeyboardEvent, "key" | "shiftKey">): string {
  return event.shiftKey && /^[A-Z]$/.test(event.key) ? `Shift+${event.key}` : event.key;
}

const SEQUENCE_MS = 1200;

/** Does what belongs to a key, unless somebody writes or a dialog is open. */
export function useKeys(actions: Readonly<Record<string, (() => void) | undefined>>): void {
  const current = useRef(actions);
  current.current = actions;
  useEffect(() => {
    let before = "";
    let at = 0;
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("dialog[open]") || isWriting(event.target)) return;
      const name = nameOf(event);
      const sequence = before !== "" && event.timeStamp - at < SEQUENCE_MS ? `${before} ${name}` : name;
      before = name;
      at = event.timeStamp;
      const action = current.current[sequence] ?? (sequence === name ? undefined : current.current[name]);
      if (!action) return;
      before = "";
      event.preventDefault();
      action();
    };
    globalThis.addEventListener("keydown", pressed);
    return () => globalThis.removeEventListener("keydown", pressed);
  }, []);
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.matches("input:not([type=checkbox]):not([type=radio]), textarea, select") || target.isContentEditable);
}
