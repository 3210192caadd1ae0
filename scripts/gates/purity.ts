import ts from "typescript";
import { type Gate, verdict } from "./gate.ts";
import { type SourceFile, isTypeScript, readFiles } from "./files.ts";

/** Same inputs, same outputs: what production, replay and the simulator share. */
const PURE = /^(core\/|sim\/|scaler\/(learn|decide)\/|agent\/summarize[./]|scaler\/intake\/(?!server))/;
/** The simulator's doors to files. */
const EXCEPTIONS = new Set(["sim/traces/read.ts", "sim/profiles/read.ts"]);

/** Names that reach outside the arguments of a function. */
const IMPURE_GLOBALS = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "requestAnimationFrame",
  "performance",
  "process",
  "globalThis",
  "crypto",
  "fetch",
  "console",
  "WebSocket",
  "window",
  "document",
]);
const IMPURE_MEMBERS = new Set(["Date.now", "Math.random"]);

export const purity: Gate = {
  name: "purity",
  run(root) {
    const files = readFiles(root, (path) => isTypeScript(path) && PURE.test(path) && !EXCEPTIONS.has(path));
    return Promise.resolve(verdict(files.length, "pure modules", files.flatMap(impurities)));
  },
};

export function impurities(file: SourceFile): string[] {
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ES2023, true);
  const declared = namesDeclared(source);
  const found: string[] = [];
  const report = (node: ts.Node, what: string): void => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    found.push(`${file.path}:${line + 1}: ${what} in a pure module; take it as an argument`);
  };
  const visit = (node: ts.Node): void => {
    const what = impure(node, declared);
    if (what !== undefined) report(node, what);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function impure(node: ts.Node, declared: ReadonlySet<string>): string | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier) && node.moduleSpecifier.text.startsWith("node:")) {
    return node.moduleSpecifier.text;
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return "import()";
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const member = `${node.expression.text}.${node.name.text}`;
    if (IMPURE_MEMBERS.has(member)) return member;
  }
  // `new Date(seconds)` is a value; without an argument it is the clock.
  if (ts.isNewExpression(node) && isName(node.expression, "Date") && (node.arguments?.length ?? 0) === 0) return "new Date()";
  if (ts.isCallExpression(node) && isName(node.expression, "Date")) return "Date()";
  if (ts.isIdentifier(node) && IMPURE_GLOBALS.has(node.text) && !declared.has(node.text) && isReference(node)) return node.text;
  return undefined;
}

const isName = (node: ts.Node, name: string): boolean => ts.isIdentifier(node) && node.text === name;

/** False where the identifier is a member or key name (`x.process`, `{ process: 1 }`) or stands in a type. */
function isReference(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isTypeNode(parent) || ts.isTypeElement(parent) || ts.isQualifiedName(parent)) return false;
  return !("name" in parent && parent.name === node);
}

/** Parameters and variables that happen to be called like a global. */
function namesDeclared(source: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    const declares = ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isFunctionDeclaration(node) || ts.isBindingElement(node);
    if (declares && node.name !== undefined && ts.isIdentifier(node.name)) names.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}
