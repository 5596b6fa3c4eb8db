// Evaluates a JSONata expression: reads {expression, bindings} from stdin, prints {value} or {error}, as JSON.
// A result that is undefined has no value.
const { readFileSync } = require("node:fs");
const jsonata = require("jsonata");

async function evaluate({ expression, bindings }) {
  const parsed = jsonata(expression);
  parsed.assign("eval", undefined); // Step Functions has no $eval
  const value = await parsed.evaluate(undefined, bindings);
  if (typeof value === "function" || value?._jsonata_function || value?._jsonata_lambda) {
    throw new Error("the result is a function");
  }
  return { value };
}

evaluate(JSON.parse(readFileSync(0, "utf8")))
  .catch((error) => ({ error: error.code ? `${error.code}: ${error.message}` : error.message }))
  .then((answer) => console.log(JSON.stringify(answer)));
