// Every view is drawn, in both languages, light and dark; `CLEW_PICTURES=DIR` keeps the pictures, for docs/page.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { line, nodePath, signIn, until, withPage } from "../browser.mjs";
import { ask, call, place, user } from "../stage.mjs";

const STATEMENTS = [
  "SELECT o.id, o.total, c.name, SLEEP(600) FROM (SELECT 1 AS id, 9.5 AS total, 1 AS customer_id) o JOIN (SELECT 1 AS id, 'Amy' AS name) c ON c.id = o.customer_id WHERE o.id IN (1, 2, 3) ORDER BY o.id DESC LIMIT 50",
  "SELECT SLEEP(600) FROM DUAL WHERE 'click' = 'click'",
  "SELECT COUNT(*), SLEEP(600) FROM information_schema.schemata WHERE schema_name LIKE 'shop%'",
];

const VIEWS = [
  ["instances", () => "/instances"],
  ["sessions", () => nodePath("sessions")],
  ["session", (ids) => nodePath("sessions", `?session=${ids[1]}&by=template`)],
  ["locks", () => nodePath("locks")],
  ["kill", () => nodePath("locks")],
  ["kills", () => nodePath("kill")],
  ["intelligent-kill", () => nodePath("kill", "?show=intelligent")],
  ["kill-tasks", () => nodePath("kill", "?show=tasks")],
  ["collections", () => nodePath("collections")],
  ["users", () => "/access/users"],
  ["groups", () => "/access/groups"],
  ["policies", () => "/access/policies"],
  ["simulate", () => "/access/simulate"],
  ["audit", () => "/access/audit"],
];

async function shot(page, name) {
  const folder = process.env.CLEW_PICTURES;
  const debug = await page.context().newCDPSession(page);
  const { data } = await debug.send("Page.captureScreenshot", { format: "webp", quality: 32 });
  if (folder) await writeFile(join(folder, `${name}.webp`), Buffer.from(data, "base64"));
}

async function prepared() {
  const { ids } = await ask("chain");
  for (let at = 0; at < 21; at += 1) await ask("session", { user: at % 3 === 0 ? "web" : "app", sql: STATEMENTS[at % 3] });
  await user("ben.dev", ["gaussdbformysql:instance:list*", "gaussdbformysql:instance:get*"]);
  await call("POST", "/clew/v1/groups", { name: "developers", description: "May look" });
  const api = `/v3/${place.project}/instances/${place.instance}`;
  await call("PUT", `${api}/process/task/switch`, { status: "ON" });
  await call("POST", `${api}/process/task`, { user: "nightly", time: 3600, task_type: "auto", task_duration: 86400 });
  for (const filter of ["total", "active"]) await call("POST", `${api}/nodes/${place.node}/realtime-session`, { filter });
  const victim = await ask("session", { user: "app", sql: STATEMENTS[1] });
  const node = `/clew/v1/${place.project}/instances/${place.instance}/nodes/${place.node}`;
  const { id, user: account, host } = await call("GET", `${node}/sessions/${victim.id}`);
  await call("POST", `${node}/kill`, { sessions: [{ id, user: account, host }], what: "connection", reason: "INC-2231, asked by the shop's team", preview: false });
  // Slow is what runs for ten seconds.
  await new Promise((done) => setTimeout(done, 11_000));
  return ids;
}

async function every(ids, language, theme) {
  const named = (name) => `${name}-${language}-${theme}`;
  await withPage({ viewport: { width: 1100, height: 640 } }, async (page, context) => {
    await context.addInitScript(([language, theme]) => {
      localStorage.setItem("clew.theme", theme);
      localStorage.setItem("clew.language", localStorage.getItem("clew.language") === null ? "en-us" : language);
    }, [language === "zh" ? "zh-cn" : "en-us", theme]);
    await page.goto(`${place.endpoint}/`);
    await page.getByLabel("Password").waitFor();
    await page.reload();
    await page.locator("input[type=password]").waitFor();
    await shot(page, named("sign-in"));
    await page.evaluate(() => localStorage.removeItem("clew.language"));
    await page.reload();
    await signIn(page);
    for (const [name, path] of VIEWS) {
      await page.goto(place.endpoint + path(ids));
      await page.locator("h1").first().waitFor();
      await until("it has come", async () => (await page.locator(".skeleton").count()) === 0);
      if (name === "sessions" || name === "session") await line(page, ids[1]).waitFor();
      if (name === "sessions") await page.waitForTimeout(4000);
      if (name === "kill") {
        await page.locator(".root .button.kill").first().click();
        await page.locator("dialog .victims").waitFor();
      }
      await page.waitForTimeout(600);
      await shot(page, named(name));
    }
  });
}

export const tests = {
  "every view, in both languages, light and dark": async () => {
    const ids = await prepared();
    for (const language of ["en", "zh"]) for (const theme of ["light", "dark"]) await every(ids, language, theme);
    await withPage({ viewport: { width: 390, height: 780 } }, async (page) => {
      await page.goto(place.endpoint + nodePath("sessions"));
      await page.getByLabel("Domain").fill(place.domain);
      await page.getByLabel("User", { exact: true }).fill(place.user);
      await page.getByLabel("Password").fill(place.password);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("grid").waitFor();
      for (const name of ["sessions", "locks"]) {
        await page.goto(place.endpoint + nodePath(name));
        await page.waitForTimeout(3000);
        await shot(page, `${name}-narrow`);
      }
    });
    await ask("calm");
  },
};
