// Who waits for whom, and the cure.
import assert from "node:assert/strict";
import { nodePath, open, until, withPage } from "../browser.mjs";
import { ask, call, place } from "../stage.mjs";

export const tests = {
  "nobody waits": () =>
    withPage({}, async (page) => {
      await open(page, nodePath("locks"));
      await page.getByText("No lock waits").waitFor();
    }),

  "a chain of three stands as a tree, and the kill of its root frees it": () =>
    withPage({}, async (page) => {
      const [root, middle, last] = (await ask("chain")).ids;
      await open(page, nodePath("locks"));
      const tree = page.getByRole("region", { name: "Root blocker 1" });
      await tree.getByRole("heading", { name: `Killing session ${root} unblocks up to 2 sessions` }).waitFor();
      const lines = tree.getByRole("listitem");
      const names = await lines.evaluateAll((all) => all.map((one) => one.querySelector(".party a")?.textContent));
      assert.deepEqual(names, [root, middle, last].map((id) => `Session ${id}`));
      assert.match(await lines.nth(1).innerText(), /waits on row/);
      assert.match(await lines.nth(1).innerText(), /tree_of_three/);
      assert.match(await lines.nth(0).innerText(), /Idle; last statements|Sleep/);

      await lines.nth(0).getByRole("button", { name: /^Kill/ }).click();
      const dialog = page.getByRole("dialog");
      const victim = dialog.getByRole("row", { name: new RegExp(`^${root}`) });
      await victim.locator(".tag", { hasText: "will be killed" }).waitFor();
      assert.ok((await ask("lives", { id: root })).lives, "a preview kills nobody");
      await dialog.getByLabel("Reason for the audit log").fill("it blocks the shop");
      await dialog.getByRole("button", { name: "Kill 1 connection" }).click();
      await dialog.getByRole("heading", { name: "Kill results" }).waitFor();
      await victim.locator(".tag", { hasText: /killed|rolling back|terminating/ }).waitFor();
      const sums = await dialog.getByRole("status").innerText();
      assert.match(sums, /\b1\s+rows rolled back\s+1\s+sessions unblocked\s+1\s+sessions still waiting\b/, sums);
      await until("the root is gone", async () => !(await ask("lives", { id: root })).lives);
      await dialog.getByRole("button", { name: "Close" }).last().click();
      await until("the first root is another", async () => !(await page.getByRole("link", { name: `Session ${root}`, exact: true }).isVisible()));

      const { rows } = await call("GET", `/clew/v1/audit?node_id=${place.node}&limit=100`);
      const kill = rows.find((row) => JSON.stringify(row).includes("it blocks the shop"));
      assert.ok(kill, JSON.stringify(rows));
      assert.equal(kill.actor, place.user);
      assert.equal(kill.outcome, "done");

      await page.goto(place.endpoint + nodePath("kill"));
      const row = page.getByRole("row").filter({ hasText: String(root) });
      await row.waitFor();
      assert.match(await row.innerText(), /it blocks the shop/);
      await ask("calm");
    }),

  "a task without criteria is added only after the instance's name was typed": () =>
    withPage({}, async (page) => {
      const tasks = `/v3/${place.project}/instances/${place.instance}/process/task`;
      await call("PUT", `${tasks}/switch`, { status: "ON" });
      const { instance } = await call("GET", `/v3.1/${place.project}/instances/${place.instance}`);
      await open(page, nodePath("kill", "?show=tasks"));
      await page.getByRole("button", { name: "Add task" }).click();
      const form = page.getByRole("form", { name: "Add task" });
      await form.getByLabel("Minimum seconds in state").fill("1000000");
      await form.getByRole("button", { name: "Preview matches" }).click();
      const start = form.getByRole("button", { name: "Start task" });
      const name = form.getByLabel(/^The only criterion is time/);
      await name.waitFor();
      assert.equal(await start.getAttribute("aria-disabled"), "true");
      await start.click({ force: true });
      assert.deepEqual((await call("GET", tasks)).processes, []);
      await name.fill(instance.name);
      await start.click();
      await page.getByText("Task started").waitFor();
      assert.equal((await call("GET", tasks)).processes.length, 1);
      await call("PUT", `${tasks}/switch`, { status: "OFF" });
    }),

  "many are killed only after their number was typed": () =>
    withPage({}, async (page) => {
      const ids = [];
      for (let at = 0; at < 12; at += 1) ids.push((await ask("session", { user: "app", sql: `SELECT ${at}, SLEEP(600)` })).id);
      const spared = (await ask("session", { user: "web", sql: "SELECT SLEEP(600)" })).id;
      await open(page, nodePath("sessions", "?q=user%3Aapp"));
      await page.getByText("12 of").waitFor();
      await page.getByRole("button", { name: "Kill all 12 listed sessions" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("will be killed").nth(11).waitFor();
      const sure = dialog.getByRole("button", { name: "Kill 12 connections" });
      assert.equal(await sure.getAttribute("aria-disabled"), "true");
      await sure.click({ force: true });
      assert.ok((await ask("lives", { id: ids[0] })).lives);
      await dialog.getByLabel("Type 12 to confirm").fill("12");
      await sure.click();
      await dialog.getByRole("heading", { name: "Kill results" }).waitFor();
      for (const id of ids) await until(`${id} is gone`, async () => !(await ask("lives", { id })).lives);
      assert.ok((await ask("lives", { id: spared })).lives);
      await ask("calm");
    }),

  "killing the query leaves the connection": () =>
    withPage({}, async (page) => {
      const { id } = await ask("session", { user: "app", sql: "SELECT SLEEP(600)" });
      await open(page, nodePath("sessions", `?session=${id}`));
      await page.getByRole("complementary", { name: `Session ${id}` }).getByRole("button", { name: /^Kill/ }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("radio", { name: /Query only/ }).check();
      await dialog.getByText("will be killed").waitFor();
      await dialog.getByRole("button", { name: "Kill 1 query" }).click();
      await dialog.getByRole("heading", { name: "Kill results" }).waitFor();
      await until("it sleeps", async () => (await ask("lives", { id })).command === "Sleep");
      await ask("calm");
    }),
};
