/** Kills of many sessions require typing the number of sessions. */

const TYPING_THRESHOLD = 10;

export function requiresTyping(sessions: number): boolean {
  return sessions >= TYPING_THRESHOLD;
}
