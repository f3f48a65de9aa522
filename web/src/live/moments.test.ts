import { expect, test } from "vitest";
import { KEPT, NO_MOMENTS, withMoment } from "./moments.ts";

const counts = (active: number) => ({ total: 9, active, slow: 0, long: 0, waiting: 1 });
const at = (second: number) => 1_800_000_000_000 + second * 1000;

test("of one second the later counts", () => {
  const moments = withMoment(withMoment(NO_MOMENTS, at(0), counts(1), 1000), at(0), counts(2), 1000);
  expect(moments.active).toEqual([2]);
});

test("a pause leaves a hole", () => {
  const moments = withMoment(withMoment(NO_MOMENTS, at(0), counts(1), 1000), at(60), counts(2), 1000);
  expect(moments.active).toEqual([1, null, 2]);
});

test("only the last minutes are kept", () => {
  let moments = NO_MOMENTS;
  for (let second = 0; second < KEPT + 50; second += 1) moments = withMoment(moments, at(second), counts(second), 1000);
  expect(moments.seconds).toHaveLength(KEPT);
  expect(moments.active.at(-1)).toBe(KEPT + 49);
});

test("time does not run back", () => {
  const moments = withMoment(withMoment(NO_MOMENTS, at(10), counts(1), 1000), at(5), counts(2), 1000);
  expect(moments.active).toEqual([1]);
});
