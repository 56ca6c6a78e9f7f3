// Reads annotations as GitHub's runner does, and has GitHub's own library write each
// anew: it must write the same line. Prints what was read as JSON.
const fs = require("node:fs");
const path = require("node:path");
const core = require("@actions/core");

const [folder] = process.argv.slice(2);
const print = process.stdout.write.bind(process.stdout);
const unescape = (text, signs) => {
  for (const sign of signs) {
    text = text.replaceAll("%" + sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0"), sign);
  }
  return text;
};
const seen = {};
for (const name of fs.readdirSync(folder)) {
  if (name.endsWith(".json")) continue;
  const lines = fs.readFileSync(path.join(folder, name), "utf8").split("\n");
  if (lines.pop() !== "") throw new Error(`${name}: no line break at the end`);
  seen[name] = lines.map((line) => {
    const parts = /^::(error|warning|notice) title=([^:,\r]*)::([^\r]*)$/.exec(line);
    if (!parts) throw new Error(`${name}: no annotation: ${line.slice(0, 200)}`);
    const annotation = {
      kind: parts[1],
      title: unescape(parts[2], ["\r", "\n", ":", ",", "%"]),
      message: unescape(parts[3], ["\r", "\n", "%"]),
    };
    let anew = "";
    process.stdout.write = (text) => { anew += text; return true; };
    core[annotation.kind](annotation.message, { title: annotation.title });
    process.stdout.write = print;
    if (anew !== line + "\n") throw new Error(`${name}: ${line.slice(0, 200)}\nis not ${anew.slice(0, 200)}`);
    return annotation;
  });
}
print(JSON.stringify(seen));
