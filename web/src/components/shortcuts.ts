/** Keyboard shortcuts: bindings and their documentation. */

import { useEffect, useEffectEvent } from "react";
import type { MessageKey } from "../i18n/translate.ts";

export interface Shortcut {
  keys: string;
  label: MessageKey;
}

/** Shortcuts by the views in which they work. */
export const SHORTCUTS: readonly { scope: MessageKey; shortcuts: readonly Shortcut[] }[] = [
  {
    scope: "keys.everywhere",
    shortcuts: [
      { keys: "?", label: "keys.help" },
      { keys: "g i", label: "keys.instances" },
      { keys: "g s", label: "keys.sessions" },
      { keys: "g l", label: "keys.locks" },
      { keys: "g k", label: "keys.go.kill" },
      { keys: "g e", label: "keys.collections" },
      { keys: "g a", label: "keys.go.access" },
      { keys: "t", label: "keys.theme" },
      { keys: "Escape", label: "keys.escape" },
    ],
  },
  {
    scope: "keys.in-sessions",
    shortcuts: [
      { keys: "/", label: "keys.query" },
      { keys: "p", label: "keys.pause" },
      { keys: "j", label: "keys.down" },
      { keys: "k", label: "keys.up" },
      { keys: "Enter", label: "keys.open" },
      { keys: "x", label: "keys.select" },
      { keys: "a", label: "keys.select.all" },
      { keys: "Shift+K", label: "keys.kill" },
      { keys: "c", label: "keys.columns" },
      { keys: "e", label: "keys.export" },
    ],
  },
];

/** Returns the name of a pressed key in `SHORTCUTS`. */
function keyName(event: Pick<KeyboardEvent, "key" | "shiftKey">): string {
  return event.shiftKey && /^[A-Z]$/.test(event.key) ? `Shift+${event.key}` : event.key;
}

/** First key of every sequence. */
const SEQUENCE_PREFIX = "g";
/** Maximum time between two keys of a sequence. */
const SEQUENCE_TIMEOUT_MS = 1200;

/** Binds shortcuts while no text field has the focus and no dialog is open. */
export function useShortcuts(actions: Readonly<Record<string, (() => void) | undefined>>): void {
  const findAction = useEffectEvent((keys: string) => actions[keys]);
  useEffect(() => {
    let previous = "";
    let pressedAt = 0;
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("dialog[open]") || isEditable(event.target)) return;
      const name = keyName(event);
      const sequence =
        previous !== "" && event.timeStamp - pressedAt < SEQUENCE_TIMEOUT_MS ? `${previous} ${name}` : name;
      // The second key of a sequence such as `g e` must not trigger the shortcut `e` of another component.
      const noFallback = sequence === name || previous === SEQUENCE_PREFIX;
      previous = name;
      pressedAt = event.timeStamp;
      const action = findAction(sequence) ?? (noFallback ? undefined : findAction(name));
      if (!action) return;
      previous = "";
      event.preventDefault();
      action();
    };
    globalThis.addEventListener("keydown", onKeyDown);
    return () => globalThis.removeEventListener("keydown", onKeyDown);
  }, []);
}

function isEditable(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.matches("input:not([type=checkbox]):not([type=radio]), textarea, select") || target.isContentEditable)
  );
}
