import { expect, test } from "vitest";
import { appendCounts, EMPTY_HISTORY, MAX_POINTS } from "./history.ts";

const counts = (active: number) => ({ total: 9, active, slow: 0, long: 0, waiting: 1 });
const at = (second: number) => 1_800_000_000_000 + second * 1000;

test("second point within a second replaces the first", () => {
  const history = appendCounts(appendCounts(EMPTY_HISTORY, at(0), counts(1), 1000), at(0), counts(2), 1000);
  expect(history.active).toEqual([2]);
});

test("missing events leave a gap", () => {
  const history = appendCounts(appendCounts(EMPTY_HISTORY, at(0), counts(1), 1000), at(60), counts(2), 1000);
  expect(history.active).toEqual([1, null, 2]);
});

test("history is limited to the last minutes", () => {
  let history = EMPTY_HISTORY;
  for (let second = 0; second < MAX_POINTS + 50; second += 1)
    history = appendCounts(history, at(second), counts(second), 1000);
  expect(history.seconds).toHaveLength(MAX_POINTS);
  expect(history.active.at(-1)).toBe(MAX_POINTS + 49);
});

test("older points are ignored", () => {
  const history = appendCounts(appendCounts(EMPTY_HISTORY, at(10), counts(1), 1000), at(5), counts(2), 1000);
  expect(history.active).toEqual([1]);
});
