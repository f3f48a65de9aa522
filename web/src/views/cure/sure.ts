/** From how many sessions on a kill has to be typed. Pure. */

export const TYPED_FROM = 10;

export function needsTyping(sessions: number): boolean {
  return sessions >= TYPED_FROM;
}
