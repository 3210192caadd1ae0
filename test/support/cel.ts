/**
 * As much of the Common Expression Language as our custom resource's rules use, with Kubernetes' optional fields: has, all, string,
 * matches, orValue, hasValue, arithmetic, comparison and logic. Anything else is an error: a rule that this cannot read fails its test.
 */
type Scope = ReadonlyMap<string, unknown>;
type Expression = (scope: Scope) => unknown;

class Optional {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

const TOKEN = /\s*(?:(\d+(?:\.\d+)?)|'((?:[^'\\]|\\.)*)'|([A-Za-z_]\w*)|(\.\?|\|\||&&|[<>=!]=|[-+*<>!?:.,()[\]]))/y;

interface Token {
  readonly kind: "number" | "string" | "name" | "sign" | "end";
  readonly text: string;
}

function tokens(text: string): Token[] {
  const list: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`not CEL at ${at}: ${text.slice(at, at + 20)}`);
    const [, number, string, name, sign] = match;
    if (number !== undefined) list.push({ kind: "number", text: number });
    else if (string !== undefined) list.push({ kind: "string", text: string });
    else if (name !== undefined) list.push({ kind: "name", text: name });
    else list.push({ kind: "sign", text: sign ?? "" });
  }
  return list;
}

/** True or false, as the API server would find it; throws where it would fail. */
export function evaluate(rule: string, self: unknown): boolean {
  const value = compile(rule)(new Map([["self", self]]));
  if (typeof value !== "boolean") throw new Error(`${rule}: not a truth value`);
  return value;
}

function compile(rule: string): Expression {
  const list = tokens(rule);
  let at = 0;
  const end: Token = { kind: "end", text: "" };
  const peek = (): Token => list[at] ?? end;
  const next = (): Token => list[at++] ?? end;
  const accept = (text: string): boolean => peek().kind === "sign" && peek().text === text && ++at > 0;
  const expect = (text: string): void => {
    if (!accept(text)) throw new Error(`${rule}: expected ${text} at "${peek().text}"`);
  };

  function ternary(): Expression {
    const condition = logic(0);
    if (!accept("?")) return condition;
    const yes = ternary();
    expect(":");
    const no = ternary();
    return (scope) => (truth(condition(scope)) ? yes(scope) : no(scope));
  }

  const LEVELS: readonly Readonly<Record<string, (a: Expression, b: Expression) => Expression>>[] = [
    { "||": (a, b) => (scope) => truth(a(scope)) || truth(b(scope)) },
    { "&&": (a, b) => (scope) => truth(a(scope)) && truth(b(scope)) },
    {
      "<=": (a, b) => (scope) => num(a(scope)) <= num(b(scope)),
      "<": (a, b) => (scope) => num(a(scope)) < num(b(scope)),
      ">=": (a, b) => (scope) => num(a(scope)) >= num(b(scope)),
      ">": (a, b) => (scope) => num(a(scope)) > num(b(scope)),
    },
    { "+": (a, b) => (scope) => num(a(scope)) + num(b(scope)) },
    { "*": (a, b) => (scope) => num(a(scope)) * num(b(scope)) },
  ];

  function logic(level: number): Expression {
    const operators = LEVELS[level];
    if (operators === undefined) return unary();
    let left = logic(level + 1);
    for (;;) {
      const operator = peek().kind === "sign" ? operators[peek().text] : undefined;
      if (operator === undefined) return left;
      at++;
      left = operator(left, logic(level + 1));
    }
  }

  function unary(): Expression {
    if (!accept("!")) return postfix();
    const inner = unary();
    return (scope) => !truth(inner(scope));
  }

  function postfix(): Expression {
    let target = primary();
    for (;;) {
      if (accept(".?")) target = optionally(target, next().text);
      else if (accept(".")) {
        const name = next().text;
        target = accept("(") ? method(target, name) : select(target, name);
      } else return target;
    }
  }

  function method(target: Expression, name: string): Expression {
    if (name === "all") {
      const variable = next().text;
      expect(",");
      const predicate = ternary();
      expect(")");
      return (scope) => listOf(target(scope)).every((item) => truth(predicate(new Map([...scope, [variable, item]]))));
    }
    const given = args();
    const [first] = given;
    if (name === "hasValue" && first === undefined) return (scope) => optional(target(scope)).value !== undefined;
    if (name === "orValue" && first !== undefined) return (scope) => optional(target(scope)).value ?? first(scope);
    if (name === "matches" && first !== undefined) return (scope) => new RegExp(text(first(scope))).test(text(target(scope)));
    throw new Error(`${rule}: no method ${name} here`);
  }

  function args(): Expression[] {
    const found: Expression[] = [];
    while (!accept(")")) {
      found.push(ternary());
      if (!accept(",") && !(peek().text === ")")) throw new Error(`${rule}: expected , or )`);
    }
    return found;
  }

  function primary(): Expression {
    const token = next();
    if (token.kind === "number") return () => Number(token.text);
    if (token.kind === "string") return () => token.text;
    if (token.text === "(") {
      const inner = ternary();
      expect(")");
      return inner;
    }
    if (token.text === "[") {
      expect("]");
      return () => [];
    }
    if (token.kind !== "name") throw new Error(`${rule}: not expected: "${token.text}"`);
    if (!accept("(")) return variable(token.text);
    const given = args();
    const [first] = given;
    if (token.text === "has" && first !== undefined) return (scope) => first(scope) !== undefined;
    if (token.text === "string" && first !== undefined) return (scope) => String(first(scope));
    throw new Error(`${rule}: no function ${token.text} here`);
  }

  const variable = (name: string): Expression => {
    return (scope) => {
      if (!scope.has(name)) throw new Error(`${rule}: no variable ${name}`);
      return scope.get(name);
    };
  };

  const parsed = ternary();
  if (peek().kind !== "end") throw new Error(`${rule}: ends at "${peek().text}"`);
  return parsed;
}

const select =
  (target: Expression, name: string): Expression =>
  (scope) =>
    fieldOf(target(scope), name);
const optionally =
  (target: Expression, name: string): Expression =>
  (scope) => {
    const value = target(scope);
    const inner = value instanceof Optional ? value.value : value;
    return new Optional(inner === undefined ? undefined : fieldOf(inner, name));
  };

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${name} of something that has no fields`);
  return (value as Record<string, unknown>)[name];
}

function optional(value: unknown): Optional {
  if (value instanceof Optional) return value;
  throw new Error("not an optional");
}
function truth(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new Error(`not a truth value: ${String(value)}`);
}
function num(value: unknown): number {
  if (typeof value === "number") return value;
  throw new Error(`not a number: ${String(value)}`);
}
function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw new Error(`not a string: ${String(value)}`);
}
function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error("not a list");
}
