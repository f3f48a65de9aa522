/** Short messages at the edge of the page, also announced to screen readers. */

import { useSyncExternalStore } from "react";
import { toError } from "../api/request.ts";

interface Toast {
  id: number;
  text: string;
}

const DURATION_MS = 6000;
const MAX_TOASTS = 3;
let toasts: readonly Toast[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function setToasts(next: readonly Toast[]): void {
  toasts = next;
  listeners.forEach((notify) => notify());
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Shows a message for a few seconds. A message that is already on display is not repeated. */
export function showToast(text: string): void {
  lastId += 1;
  const id = lastId;
  setToasts([...toasts.filter((toast) => toast.text !== text), { id, text }].slice(-MAX_TOASTS));
  setTimeout(() => setToasts(toasts.filter((toast) => toast.id !== id)), DURATION_MS);
}

/** Shows the message of a caught error. */
export function showErrorToast(error: unknown): void {
  showToast(toError(error).message);
}

export function ToastList() {
  const list = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map(({ id, text }) => (
        <div key={id}>{text}</div>
      ))}
    </div>
  );
}
