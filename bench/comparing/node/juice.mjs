// node juice.mjs PAGE.html TIMES OPTIONS: writes {html, warm: [milliseconds, ...]} to standard output.
import {readFileSync} from "node:fs";
import juice from "juice";

const [source, times, options] = process.argv.slice(2);
const text = readFileSync(source, "utf8");
const warm = [];
let html;
for (let time = 0; time < Number(times); time++) {
  const started = performance.now();
  html = juice(text, JSON.parse(options));
  warm.push(performance.now() - started);
}
process.stdout.write(JSON.stringify({html, warm}));
