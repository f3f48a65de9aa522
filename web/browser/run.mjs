// Runs the tests of one story: `node browser/run.mjs sessions`. Started by crates/cli/tests/page, which is the stage.
const story = process.argv[2];
if (!/^[a-z-]+$/.test(story ?? "")) throw new Error("name a story: a file of browser/e2e");
const { tests } = await import(`./e2e/${story}.mjs`);
const { ask } = await import("./stage.mjs");
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  const start = Date.now();
  try {
    await test();
    console.log(`ok ${name} (${Date.now() - start} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack}`);
    // What it left behind is not the next one's.
    await ask("calm");
  }
}
console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
process.exit(failed > 0 || Object.keys(tests).length === 0 ? 1 : 0);
