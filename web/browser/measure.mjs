// Measures the page in a browser: `node browser/measure.mjs script 10` prints one number. `cargo xtask bench` starts the servers and this
// program.
import { nodePath, open, withPage } from "./browser.mjs";
import { stage } from "./stage.mjs";

const MIB = 1024 * 1024;
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

/** Opens the sessions of the node and waits until the page is idle. */
const withSessions = (run) =>
  withPage({}, async (page) => {
    await open(page, nodePath("sessions"));
    await page.locator("[id^=session-]").first().waitFor();
    await sleep(3);
    const browser = await page.context().newCDPSession(page);
    await browser.send("Performance.enable");
    const metric = async (name) =>
      (await browser.send("Performance.getMetrics")).metrics.find((one) => one.name === name).value;
    await run(page, browser, metric);
  });

const measures = {
  /** Milliseconds from the start of a navigation of a signed-in user until the first sessions are displayed and usable. */
  first: () =>
    withPage({}, async (page, context) => {
      await open(page, "/");
      const next = await context.newPage();
      await next.addInitScript(() => {
        const check = () => {
          // One frame after the rows appear, they are painted and the main thread is idle.
          if (document.querySelector("[id^=session-]") === null) requestAnimationFrame(check);
          else requestAnimationFrame(() => setTimeout(() => (globalThis.first = performance.now()), 0));
        };
        requestAnimationFrame(check);
      });
      await next.goto(stage.endpoint + nodePath("sessions"), { waitUntil: "commit" });
      const first = await next.waitForFunction(() => globalThis.first);
      console.log(await first.jsonValue());
    }),

  /** Percent of one core used by scripts at one update per second. The measured rate may be lower on a slow server. */
  script: (seconds) =>
    withSessions(async (_page, browser, metric) => {
      let updates = 0;
      browser.on("Network.eventSourceMessageReceived", ({ eventName }) => (updates += eventName === "changes" ? 1 : 0));
      await browser.send("Network.enable");
      const before = await metric("ScriptDuration");
      await sleep(seconds);
      const scriptSeconds = (await metric("ScriptDuration")) - before;
      if (updates < seconds / 5) throw new Error(`only ${updates} updates in ${seconds} s`);
      console.log((scriptSeconds / updates) * 100);
    }),

  /** Milliseconds of the longest frame while scrolling the grid with the mouse wheel. */
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

  /** Growth of the heap in MiB over the given time, measured after garbage collection. */
  heap: (seconds) =>
    withSessions(async (_page, browser, metric) => {
      const heap = async () => {
        await browser.send("HeapProfiler.collectGarbage");
        return (await metric("JSHeapUsedSize")) / MIB;
      };
      // Let the history of the chart fill first.
      await sleep(Math.min(60, seconds / 2));
      const before = await heap();
      await sleep(seconds);
      console.log((await heap()) - before);
    }),
};

const [measureName, seconds] = process.argv.slice(2);
await measures[measureName](Number(seconds));
process.exit(0);
