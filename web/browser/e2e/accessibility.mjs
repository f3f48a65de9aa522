// For everybody: axe finds nothing serious on any view, and the keyboard alone is enough.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { line, nodePath, open, until, withPage } from "../browser.mjs";
import { ask, place } from "../stage.mjs";

const axe = await readFile(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

async function look(page, what) {
  // By the debugger's way in, which the page's policy does not concern.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.map(({ id, nodes }) => `${what}: ${id}: ${nodes.slice(0, 3).map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`).join(" | ")}`);
}

async function every(theme, viewport) {
  const found = [];
  await withPage({ colorScheme: theme, viewport }, async (page) => {
    await page.goto(`${place.endpoint}/`);
    await page.getByLabel("Password").waitFor();
    found.push(...(await look(page, "sign-in")));
    const { ids } = await ask("chain");
    await page.getByLabel("Domain").fill(place.domain);
    await page.getByLabel("User", { exact: true }).fill(place.user);
    await page.getByLabel("Password").fill(place.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Instances" }).waitFor();
    const views = ["/instances", nodePath("sessions"), nodePath("sessions", `?session=${ids[1]}&by=template`), nodePath("locks"), nodePath("kill"), nodePath("kill", "?show=intelligent"), nodePath("kill", "?show=tasks"), nodePath("collections"), "/access/users", "/access/groups", "/access/policies", "/access/simulate", "/access/audit"];
    for (const view of views) {
      await page.goto(place.endpoint + view);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await until("it has come", async () => (await page.locator(".skeleton").count()) === 0);
      found.push(...(await look(page, view)));
    }
    await page.goto(place.endpoint + nodePath("locks"));
    await page.getByRole("button", { name: /^Kill/ }).first().click();
    await page.getByText("will be killed").waitFor();
    found.push(...(await look(page, "kill")));
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    found.push(...(await look(page, "keys")));
    await ask("calm");
  });
  assert.deepEqual(found, []);
}

export const tests = {
  "axe finds nothing serious in the light": () => every("light", { width: 1280, height: 800 }),
  "nor in the dark": () => every("dark", { width: 1280, height: 800 }),
  "nor on a telephone": () => every("light", { width: 390, height: 844 }),

  "with the keyboard alone: sign in, choose, filter, open, pause, kill, look at locks": () =>
    withPage({}, async (page) => {
      const victim = await ask("session", { user: "app", sql: "SELECT 'by keyboard', SLEEP(600)" });
      const other = await ask("session", { user: "web", sql: "SELECT SLEEP(600)" });
      const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
      const tabTo = (what, focused) => until(what, async () => (await focused()) || (await press("Tab"), false));
      const active = () => page.evaluate(() => (document.activeElement?.matches("a, button") ? (document.activeElement.textContent ?? "") : ""));
      await page.goto(`${place.endpoint}/`);
      await page.getByLabel("Domain").waitFor();
      await page.keyboard.type(place.domain);
      await press("Tab");
      await page.keyboard.type(place.user);
      await press("Tab");
      await page.keyboard.type(place.password);
      await press("Enter");
      await page.getByRole("link", { name: /master/ }).waitFor();
      await tabTo("the node has the focus", async () => /master/.test(await active()));
      await press("Enter");
      await line(page, victim.id).waitFor();

      await press("/");
      // One looks before one chooses.
      await page.keyboard.type("us");
      await page.getByRole("option", { name: /^user:/ }).waitFor();
      await press("ArrowDown", "Enter");
      await page.keyboard.type("ap");
      await page.getByRole("option", { name: /user:app/ }).waitFor();
      await press("ArrowDown", "Enter", "Enter");
      await line(page, other.id).waitFor({ state: "detached" });
      // Those of the stories before may take a moment to go.
      await until("the victim is the only line", async () => (await page.locator("[id^=session-]").count()) === 1);
      await press("j", "Enter");
      const drawer = page.getByRole("complementary", { name: `Session ${victim.id}` });
      await drawer.waitFor();
      await press("Escape");
      await drawer.waitFor({ state: "detached" });
      await press("p");
      await page.getByRole("button", { name: "Resume" }).waitFor();
      await press("p");
      await page.getByRole("button", { name: "Pause" }).waitFor();
      await press("c");
      await page.getByRole("checkbox", { name: "Session", exact: true }).waitFor();
      await press("Escape");

      await press("j", "x", "Shift+K");
      const dialog = page.getByRole("dialog");
      await dialog.getByText("will be killed").waitFor();
      await tabTo("the kill has the focus", async () => (await active()) === "Kill 1 connection");
      await press("Enter");
      await dialog.getByRole("heading", { name: "Kill results" }).waitFor();
      await until("it is gone", async () => !(await ask("lives", { id: victim.id })).lives);
      await press("Escape");
      await dialog.waitFor({ state: "detached" });

      for (const [key, heading] of [["l", "Lock waits"], ["k", "Kill sessions"], ["e", "Collections"], ["s", "Sessions"], ["a", "Access"], ["i", "Instances"]]) {
        await press("g", key);
        await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
      }
      await press("?");
      await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
      await press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      assert.ok((await ask("lives", { id: other.id })).lives);
      await ask("calm");
    }),
};
