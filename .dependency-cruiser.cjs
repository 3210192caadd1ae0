// Who may import whom: the table of docs/architecture.md. Checked by scripts/gates/boundaries.ts.

/** Own modules a folder may import (besides itself), and npm packages it may use; nothing else. */
const AREAS = {
  core: { own: [], npm: [] },
  wire: { own: ["^core/"], npm: ["zod"] },
  agent: { own: ["^core/", "^wire/"] },
  scaler: { own: ["^core/", "^wire/"] },
  sim: { own: ["^core/", "^scaler/(learn|decide|policy)/"], npm: ["zod"] },
  fleet: { own: ["^core/", "^sim/"] },
  web: { own: ["^core/", "^wire/"], npm: ["preact", "@preact/signals", "uplot"] },
  // The command line may reach each part's entry (main, config) and the parts of the scaler that commands expose.
  cli: {
    own: [
      "^core/",
      "^wire/",
      "^(agent|scaler|fleet)/(main|config|config-targets|log)\\.ts$",
      "^agent/((gpu|discover|nic)/|link-)probe\\.ts$",
      "^scaler/(policy|decide|learn|journal)/",
      "^sim/",
    ],
  },
  "dashboards/src": { own: ["^core/catalog\\.ts$"], npm: ["@grafana/grafana-foundation-sdk"] },
  alerts: { own: ["^core/catalog\\.ts$"] },
};

/** Packages with one declared importer each. */
const IMPORTERS = {
  "@grpc/grpc-js": "^(agent/(receive|discover)|scaler/serve/keda)/",
  ws: "^(agent/link|scaler/intake/server|scaler/serve/live)[^/]*(/|\\.ts$)",
  "prom-client": "/metrics[^/]*(/|\\.ts$)",
  "@opentelemetry/[^/]+": "/(metrics|telemetry|spans)[^/]*(/|\\.ts$)",
  systeminformation: "^agent/host\\.ts$",
  "@kubernetes/client-node": "^scaler/kube/connect\\.ts$",
  koffi: "^agent/gpu/(dcgm/)?library\\.ts$",
  commander: "^cli/",
  pino: "^(agent|scaler|fleet|cli)/(main|log|[^/]*/log)[^/]*\\.ts$",
  uplot: "^web/",
  preact: "^web/",
  zod: "(^wire/|^scaler/policy/|/config[^/]*\\.ts$|^cli/settings\\.ts$|^sim/profiles?/|^(agent|fleet)/targets[^/]*\\.ts$|^agent/discover/|^scaler/(act|kube)/)",
};

/** Same inputs, same outputs: no clock, no files, no sockets (scripts/gates/purity.ts checks the rest). */
const PURE = "^(core/|sim/|scaler/(learn|decide)/|agent/summarize[./]|scaler/intake/(?!server))";
const FILE_DOORS = "^sim/(traces|profiles)/read\\.ts$";
const BROWSER = "^(core|web)/|^wire/(messages|page|codec|observation-schema)";

const escape = (name) => name.replace(/[/-]/g, (c) => (c === "/" ? "\\/" : c));
const npm = (name) => `node_modules/(@types/)?${name}(/|$)`;

const forbidden = [
  {
    name: "no-cycle",
    comment: "two files may share types both ways; values go one way",
    severity: "error",
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
  },
  { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  {
    name: "nobody-imports-a-main",
    comment: "main.ts reads argv and environment and builds things; only the command line starts it",
    severity: "error",
    from: { pathNot: "^(cli|test|scripts)/" },
    to: { path: "(^|/)main\\.tsx?$" },
  },
  {
    name: "kubernetes-client-on-demand",
    comment: "55 MB that only who scales a cluster loads",
    severity: "error",
    from: { path: "^(scaler|cli)/", pathNot: "^scaler/kube/" },
    to: { path: "^scaler/kube/(start|connect)\\.ts$", dynamic: false, dependencyTypesNot: ["type-only"] },
  },
  {
    name: "not-from-tests-or-scripts",
    severity: "error",
    from: { pathNot: "^(test|scripts)/" },
    to: { path: "^(test|scripts)/" },
  },
  {
    name: "no-dev-dependencies-in-the-product",
    severity: "error",
    from: { pathNot: "^(test|scripts|dashboards)/" },
    to: { dependencyTypes: ["npm-dev"], pathNot: "node_modules/@types/" },
  },
  { name: "declared-dependencies", severity: "error", from: {}, to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] } },
  {
    name: "pure-without-node",
    severity: "error",
    from: { path: PURE, pathNot: FILE_DOORS },
    to: { dependencyTypes: ["core"] },
  },
  {
    name: "file-doors-only-read-files",
    comment: "sim/traces/read.ts and sim/profiles/read.ts are the simulator's doors to files",
    severity: "error",
    from: { path: FILE_DOORS },
    to: { dependencyTypes: ["core"], pathNot: "^(node:)?(fs|fs/promises|zlib|readline|stream|stream/promises|path)$" },
  },
  { name: "browser-without-node", severity: "error", from: { path: BROWSER }, to: { dependencyTypes: ["core"] } },
];

for (const [area, { own, npm: packages }] of Object.entries(AREAS)) {
  forbidden.push({
    name: `${area}-imports`,
    severity: "error",
    from: { path: `^${escape(area)}/` },
    to: {
      path: "^[^.]",
      pathNot: ["^package\\.json$", `^${escape(area)}/`, ...own, "node_modules/", "^node:"],
      dependencyTypesNot: ["core"],
    },
  });
  if (packages !== undefined) {
    forbidden.push({
      name: `${area}-packages`,
      severity: "error",
      from: { path: `^${escape(area)}/` },
      to: { path: "node_modules/", pathNot: packages.map(npm) },
    });
  }
}

for (const [name, importers] of Object.entries(IMPORTERS)) {
  forbidden.push({
    name: `one-importer-${name.replace(/[^a-z-]/g, "")}`,
    severity: "error",
    from: { path: `^(${Object.keys(AREAS).join("|")})/`, pathNot: importers },
    to: { path: npm(name) },
  });
}

module.exports = {
  forbidden,
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^test/fixtures/" },
    // Type-only imports count too: a type across a boundary is a dependency across it.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: require("node:path").join(__dirname, "tsconfig.json") },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default", "types"] },
  },
};
