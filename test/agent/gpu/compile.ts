import { execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../..", import.meta.url));

export const hasCompiler = (() => {
  try {
    execFileSync("cc", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

/** Offsets of structures' members, as a reader believes them. */
type Layout = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface FakeLibrary {
  /** A fresh folder for files of the test. */
  readonly directory: string;
  /** The bundled process of the reader. */
  readonly program: string;
  /** The library's path. */
  compile(name: string, ...flags: readonly string[]): string;
  /** From the next call on, the library answers by this. */
  play(script: readonly string[]): void;
}

/** What a fake library written in C needs: its reader's layout as a header, a script it plays, and the reader's program, bundled. */
export async function prepareFake(fake: {
  /** The C file, below the repository. */
  readonly source: string;
  readonly layout: Layout;
  /** Environment variable by which the library finds its script. */
  readonly variable: string;
  readonly program: "nvml-process" | "dcgm-process";
}): Promise<FakeLibrary> {
  const directory = mkdtempSync(join(tmpdir(), "fulcrum-gpu-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const offsets = Object.entries(fake.layout).flatMap(([struct, members]) =>
    Object.entries(members).map(([member, offset]) => `#define LAYOUT_${struct}_${member} ${offset}`),
  );
  writeFileSync(join(directory, "layout.h"), `${offsets.join("\n")}\n`);
  const script = join(directory, "script");
  // The reader's process inherits it.
  process.env[fake.variable] = script;
  await build({
    entryPoints: { [fake.program]: join(root, `agent/gpu/${fake.program}.ts`) },
    ...{ absWorkingDir: root, outdir: directory, outExtension: { ".js": ".mjs" } },
    ...{ bundle: true, format: "esm", platform: "node", target: "node20", logLevel: "warning" },
    external: ["koffi"],
  });
  // Where the program will look for koffi.
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  return {
    directory,
    program: join(directory, `${fake.program}.mjs`),
    compile(name, ...flags) {
      const library = join(directory, name);
      const usual = ["-shared", "-fPIC", "-O1", "-std=gnu11", "-Wall", "-Werror", `-I${directory}`];
      execFileSync("cc", [...usual, ...flags, "-o", library, join(root, fake.source), "-lm"]);
      return library;
    },
    play(lines) {
      writeFileSync(`${script}.new`, `${lines.join("\n")}\n`);
      renameSync(`${script}.new`, script);
    },
  };
}
