import { doubtful } from "../../scaler/policy/doubtful.ts";
import { formatProblem } from "../../scaler/policy/problem.ts";
import { policyJsonSchema } from "../../scaler/policy/json-schema.ts";
import { parsePolicies } from "../../scaler/policy/load.ts";
import { settle, type Candidate } from "../../scaler/policy/settle.ts";
import { showPolicy } from "../../scaler/policy/show.ts";
import type { Define } from "../define.ts";
import { EXIT, badInput } from "../exit.ts";
import { readInput } from "../files.ts";
import { print } from "../output.ts";

const EXAMPLES = `
Examples:
  fulcrum policy check policies/*.yaml
  fulcrum policy show policies/minimal.yaml
  fulcrum policy schema > scaling-policy.schema.json`;

export const policy: Define = (command, run) => {
  command.addHelpText("after", EXAMPLES);
  command
    .command("check")
    .description("check policy files; one line per problem: file:line:column: CODE message")
    .argument("<files...>", "policy files (YAML, one or more documents each)")
    .addHelpText("after", "\nExample:\n  fulcrum policy check policies/llama-8b.yaml")
    .action((files: string[]) => run(() => check(files)));
  command
    .command("show")
    .description("print a policy file with every default filled in")
    .argument("<file>", "policy file")
    .addHelpText("after", "\nExample:\n  fulcrum policy show policies/minimal.yaml")
    .action((file: string) => run(() => show(file)));
  command
    .command("schema")
    .description("print the JSON Schema of a scaling policy")
    .addHelpText("after", "\nExample:\n  fulcrum policy schema > scaling-policy.schema.json")
    .action(() => run(schema));
};

async function check(files: readonly string[]): Promise<number> {
  let bad = false;
  const candidates: Candidate[] = [];
  for (const file of files) {
    const policies = parsePolicies(await readInput(file), file);
    if (policies.ok) {
      const names = policies.value.map((policy) => `${policy.metadata.namespace}/${policy.metadata.name}`);
      process.stderr.write(`${file}: good (${names.join(", ")})\n`);
      for (const one of policies.value)
        for (const doubt of doubtful(one)) process.stderr.write(`${file}: warning: ${one.metadata.name}: ${doubt}\n`);
      candidates.push(...policies.value.map((policy) => ({ origin: file, policy })));
      continue;
    }
    bad = true;
    for (const problem of policies.error) await print(formatProblem(problem));
  }
  // Of one directory the scaler would use none of these.
  for (const [{ origin }, message] of settle(candidates).conflicts) {
    bad = true;
    await print(formatProblem({ file: origin, line: 1, column: 1, code: "POLICY_CONFLICT", message }));
  }
  return bad ? EXIT.no : EXIT.good;
}

async function show(file: string): Promise<number> {
  const policies = parsePolicies(await readInput(file), file);
  if (!policies.ok) throw badInput(...policies.error.map(formatProblem));
  await print(policies.value.map(showPolicy).join("---\n"));
  return EXIT.good;
}

async function schema(): Promise<number> {
  await print(JSON.stringify(policyJsonSchema(), null, 2));
  return EXIT.good;
}
