// Measures the page in a browser: `node browser/measure.mjs script 10`. Started by `cargo xtask bench`, which has the servers; says one
// number on stdout.
import { nodePath, open, withPage } from "./browser.mjs";
import { place } from "./stage.mjs";

const MIB = 1024 * 1024;
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

/** Opens the sessions of the node, signed in, and gives them time to settle. */
const withSessions = (run) =>
  withPage({}, async (page) => {
    await open(page, nodePath("sessions"));
    await page.locator("[id^=session-]").first().waitFor();
    await sleep(3);
    const browser = await page.context().newCDPSession(page);
    await browser.send("Performance.enable");
    const metric = async (name) => (await browser.send("Performance.getMetrics")).metrics.find((metric) => metric.name === name).value;
    await run(page, browser, metric);
  });

const measures = {
  /** Milliseconds from the start of a navigation, by somebody who is signed in, until the first sessions can be seen and used. */
  first: () =>
    withPage({}, async (page, context) => {
      await open(page, "/");
      const next = await context.newPage();
      await next.addInitScript(() => {
        const look = () => {
          if (document.querySelector("[id^=session-]") === null) return requestAnimationFrame(look);
          // In the next frame that one was drawn, and whatever kept the page busy is over.
          requestAnimationFrame(() => setTimeout(() => (globalThis.first = performance.now()), 0));
        };
        requestAnimationFrame(look);
      });
      await next.goto(place.endpoint + nodePath("sessions"), { waitUntil: "commit" });
      const first = await next.waitForFunction(() => globalThis.first);
      console.log(await first.jsonValue());
    }),

  /** Percent of one core that scripts take at one update a second. A server that is slow is looked at less often than that. */
  script: (seconds) =>
    withSessions(async (_page, browser, metric) => {
      let updates = 0;
      browser.on("Network.eventSourceMessageReceived", ({ eventName }) => (updates += eventName === "changes" ? 1 : 0));
      await browser.send("Network.enable");
      const before = await metric("ScriptDuration");
      await sleep(seconds);
      const took = (await metric("ScriptDuration")) - before;
      if (updates < seconds / 5) throw new Error(`only ${updates} updates in ${seconds} s`);
      console.log((took / updates) * 100);
    }),

  /** Milliseconds of the longest frame while the grid is scrolled by the wheel. */
  scroll: (seconds) =>
    withSessions(async (page) => {
      const box = await page.getByRole("grid").boundingBox();
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await page.evaluate(() => {
        globalThis.frames = [];
        let last = performance.now();
        const frame = (now) => {
          globalThis.frames.push(now - last);
          last = now;
          requestAnimationFrame(frame);
        };
        requestAnimationFrame(frame);
      });
      const end = Date.now() + seconds * 1000;
      while (Date.now() < end) await page.mouse.wheel(0, 240);
      const frames = await page.evaluate(() => globalThis.frames.slice(1));
      if (frames.length < seconds * 10) throw new Error(`only ${frames.length} frames in ${seconds} s`);
      console.log(Math.max(...frames));
    }),

  /** MiB that the heap has grown by after so long, each time after what is garbage was thrown away. */
  heap: (seconds) =>
    withSessions(async (_page, browser, metric) => {
      const heap = async () => {
        await browser.send("HeapProfiler.collectGarbage");
        return (await metric("JSHeapUsedSize")) / MIB;
      };
      // The chart of the last minutes fills first.
      await sleep(Math.min(60, seconds / 2));
      const before = await heap();
      await sleep(seconds);
      console.log((await heap()) - before);
    }),
};

const [what, seconds] = process.argv.slice(2);
await measures[what](Number(seconds));
process.exit(0);
