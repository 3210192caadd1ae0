import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentSettingsSchema } from "../../agent/config.ts";
import { scalerSettingsSchema } from "../../scaler/config.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dockerfile = readFileSync(join(root, "deploy", "Dockerfile"), "utf8");
const instructions = dockerfile.split("\n").filter((line) => /^[A-Z]+ /.test(line));
const of = (name: string): string[] =>
  instructions.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));

/** The paths .dockerignore lets through: everything is shut out first, then these are named. */
const allowed = readFileSync(join(root, ".dockerignore"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("!"))
  .map((line) => line.slice(1));

describe("deploy/Dockerfile", () => {
  it("builds and runs on Node 24, as a user that owns nothing, and starts the one binary", () => {
    expect(of("FROM")).toEqual(["node:24-slim AS build", "node:24-slim"]);
    expect(of("USER")).toEqual(["65532:65532"]);
    expect(of("ENTRYPOINT")).toEqual(['["node", "/app/fulcrum.mjs"]']);
    expect(instructions.indexOf("USER 65532:65532")).toBeLessThan(instructions.findIndex((line) => line.startsWith("ENTRYPOINT")));
  });

  it("takes only bundled files and koffi into the runtime stage", () => {
    const runtime = instructions.slice(instructions.lastIndexOf("FROM node:24-slim"));
    expect(runtime.filter((line) => line.startsWith("COPY"))).toEqual([
      "COPY --from=build /src/dist /app",
      "COPY --from=build /src/node_modules/koffi /app/node_modules/koffi",
      "COPY --from=build /src/node_modules/@koromix /app/node_modules/@koromix",
      "COPY LICENSE package.json package-lock.json /app/",
    ]);
    expect(runtime.filter((line) => line.startsWith("RUN"))).toEqual([]);
  });

  it("exposes the default ports of both processes", () => {
    const agent = agentSettingsSchema.parse({ node: "n", targets: "t" });
    const scaler = scalerSettingsSchema.parse({ policies: "p" });
    expect(of("EXPOSE")).toEqual([[scaler.port, agent.port, agent.otlpGrpcPort, agent.otlpHttpPort].join(" ")]);
  });

  it("copies only what .dockerignore lets through", () => {
    const copied = of("COPY")
      .filter((line) => !line.startsWith("--from") && line !== ". .")
      .flatMap((line) => line.split(" ").slice(0, -1));
    expect(copied.length).toBeGreaterThan(0);
    expect(allowed).toEqual(expect.arrayContaining(copied));
    expect(allowed.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

// No container engine needed: the same steps on the same files, and the result run where there is nothing but Node.
describe("what the image holds", () => {
  const context = mkdtempSync(join(tmpdir(), "fulcrum-context-"));
  const app = mkdtempSync(join(tmpdir(), "fulcrum-app-"));
  const fulcrum = (...args: string[]): string =>
    execFileSync(process.execPath, [join(app, "fulcrum.mjs"), ...args], { cwd: app, encoding: "utf8", stdio: "pipe" });

  beforeAll(() => {
    for (const path of allowed) cpSync(join(root, path), join(context, path), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(context, "node_modules"));
    execFileSync(process.execPath, ["build.mjs"], { cwd: context, stdio: "pipe" });
    cpSync(join(context, "dist"), app, { recursive: true });
  });
  afterAll(() => {
    rmSync(context, { recursive: true, force: true });
    rmSync(app, { recursive: true, force: true });
  });

  it("is built from the context alone and runs without node_modules", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(fulcrum("--version").trim()).toBe(version);
    expect(fulcrum("--help")).toMatch(/\bagent\b[\s\S]*\bscaler\b/);
    expect(fulcrum("agent", "--help")).toContain("FULCRUM_SCALER_URL");
    expect(fulcrum("scaler", "--help")).toContain("FULCRUM_POLICIES");
  });

  it("holds the page", () => {
    expect(readdirSync(join(app, "web"))).toEqual(expect.arrayContaining(["index.html", "page.js"]));
  });

  it("checks the policy that the observe overlay brings", () => {
    const policy = join(root, "deploy", "overlays", "observe", "policies", "example.yaml");
    expect(() => fulcrum("policy", "check", policy)).not.toThrow();
  });
});
