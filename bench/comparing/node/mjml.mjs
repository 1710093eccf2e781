// node mjml.mjs SOURCE.mjml TIMES OPTIONS: writes {html, warm: [milliseconds, ...]} to standard output.
import {readFileSync} from "node:fs";
import mjml from "mjml";

const [source, times, options] = process.argv.slice(2);
const text = readFileSync(source, "utf8");
const warm = [];
let result;
for (let time = 0; time < Number(times); time++) {
  const started = performance.now();
  result = await mjml(text, {validationLevel: "strict", ...JSON.parse(options)});
  warm.push(performance.now() - started);
}
if (result.errors.length) throw new Error(JSON.stringify(result.errors));
process.stdout.write(JSON.stringify({html: result.html, warm}));
