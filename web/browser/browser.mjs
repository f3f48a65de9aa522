// Runs Debian's Chromium with playwright-core. A script error, a violation of the Content-Security-Policy or a request to another host
// fails the test.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { stage } from "./stage.mjs";

const CHROMIUM_FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Timeout of every wait. */
export const TIMEOUT_MS = 20_000;

/** Runs a test with a page of a new browser. Fails if the page reported a violation. */
export async function withPage(options, run) {
  const profile = await mkdtemp(join(tmpdir(), "clew-page-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CLEW_CHROMIUM ?? "/usr/bin/chromium",
    args: CHROMIUM_FLAGS,
    viewport: { width: 1280, height: 800 },
    locale: "en-US",
    colorScheme: "light",
    acceptDownloads: true,
    ...options,
  });
  try {
    context.setDefaultTimeout(TIMEOUT_MS);
    await context.addInitScript(() => {
      globalThis.policyViolations = [];
      document.addEventListener("securitypolicyviolation", (event) =>
        globalThis.policyViolations.push(`${event.violatedDirective} ${event.blockedURI}`),
      );
    });
    const page = context.pages()[0] ?? (await context.newPage());
    const violations = [];
    page.on("pageerror", (error) => violations.push(`script: ${error.message}`));
    page.on("console", (message) => {
      // The browser logs error responses and connection failures; the tests check them on the page.
      if (message.type() === "error" && !/Failed to load resource|net::ERR_/.test(message.text()))
        violations.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(stage.endpoint) && !/^(data|blob):/.test(url)) violations.push(`request: ${url}`);
    });
    try {
      await run(page, context);
    } catch (error) {
      if (process.env.CLEW_SHOTS)
        await page.screenshot({ path: join(process.env.CLEW_SHOTS, `failed-${Date.now()}.png`) });
      throw error;
    }
    violations.push(...(await page.evaluate(() => globalThis.policyViolations)));
    if (violations.length > 0) throw new Error(`violations of the page: ${violations.join("; ")}`);
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  }
}

export const nodePath = (view, query = "", { instance, node } = stage) =>
  `/instances/${instance}/nodes/${node}/${view}${query}`;

/** Fills in and submits the sign-in form. */
export async function signIn(page, user = stage.user, password = stage.password) {
  await page.getByLabel("Domain").fill(stage.domain);
  await page.getByLabel("User", { exact: true }).fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Navigation" }).waitFor();
}

/** Opens a path and signs in. */
export async function open(page, path, user, password) {
  const response = await page.goto(stage.endpoint + path);
  if (!response.headers()["content-type"].startsWith("text/html")) throw new Error(await response.text());
  await signIn(page, user, password);
}

/** Locates the row of a session in the grid. */
export const sessionRow = (page, id) => page.locator(`#session-${id}`);

/** Polls until the condition holds. */
export async function waitUntil(description, condition, timeoutMs = TIMEOUT_MS) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`timeout after ${timeoutMs} ms waiting until ${description}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
