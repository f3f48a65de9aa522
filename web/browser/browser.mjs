// Debian's Chromium, driven by playwright-core. Whatever a page does wrong while it is tested fails the test: an error of a script,
// a breach of the page's policy, a request to another host.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { place } from "./stage.mjs";

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** For what must happen; only a page that hangs reaches it. */
export const PATIENCE = 20_000;

/** Runs with a page of a fresh browser, and fails by what the page did wrong. */
export async function withPage(options, run) {
  const profile = await mkdtemp(join(tmpdir(), "clew-page-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CLEW_CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
    viewport: { width: 1280, height: 800 },
    locale: "en-US",
    colorScheme: "light",
    acceptDownloads: true,
    ...options,
  });
  try {
    context.setDefaultTimeout(PATIENCE);
    await context.addInitScript(() => {
      globalThis.breaches = [];
      document.addEventListener("securitypolicyviolation", (event) => globalThis.breaches.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
    const page = context.pages()[0] ?? (await context.newPage());
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(`script: ${error.message}`));
    page.on("console", (message) => {
      // What the server refuses, and that it is away, is told by the browser too; tests of that look at the page.
      if (message.type() === "error" && !/Failed to load resource|net::ERR_/.test(message.text())) wrong.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(place.endpoint) && !/^(data|blob):/.test(url)) wrong.push(`request: ${url}`);
    });
    try {
      await run(page, context);
    } catch (error) {
      if (process.env.CLEW_SHOTS) await page.screenshot({ path: join(process.env.CLEW_SHOTS, `failed-${Date.now()}.png`) });
      throw error;
    }
    wrong.push(...(await page.evaluate(() => globalThis.breaches)));
    if (wrong.length > 0) throw new Error(`the page did what it must not: ${wrong.join("; ")}`);
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  }
}

export const nodePath = (view, query = "") => `/instances/${place.instance}/nodes/${place.node}/${view}${query}`;

/** Signs in where the page asks for it. */
export async function signIn(page, user = place.user, password = place.password) {
  await page.getByLabel("Domain").fill(place.domain);
  await page.getByLabel("User", { exact: true }).fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Navigation" }).waitFor();
}

/** Opens a place of the page, signed in. */
export async function open(page, path, user, password) {
  const answer = await page.goto(place.endpoint + path);
  if (!answer.headers()["content-type"].startsWith("text/html")) throw new Error(await answer.text());
  await signIn(page, user, password);
}

/** The line of a session in the grid. */
export const line = (page, id) => page.locator(`#session-${id}`);

/** Waits until something is so. */
export async function until(what, so, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const answer = await so();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`in ${patience} ms it never was so that ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
