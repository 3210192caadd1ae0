/**
 * The CHANGELOG's section of a version, its heading left out. Throws when the tag is not `v` and the package's version, or when the section is
 * missing or empty: such a release would say nothing, or something else than it is.
 */
export function notesOf(changelog: string, packageVersion: string, tag: string): string {
  if (tag !== `v${packageVersion}`)
    throw new Error(`tag ${tag}, but package.json says ${packageVersion}: expected the tag v${packageVersion}, or another version there`);
  const lines = changelog.split("\n");
  const begins = lines.findIndex((line) => line === `## ${packageVersion}` || line.startsWith(`## ${packageVersion} `));
  if (begins < 0)
    throw new Error(`CHANGELOG.md has no section "## ${packageVersion}": rename "## Unreleased", and begin a new one above it`);
  const rest = lines.slice(begins + 1);
  const ends = rest.findIndex((line) => line.startsWith("## "));
  const notes = rest
    .slice(0, ends < 0 ? rest.length : ends)
    .join("\n")
    .trim();
  if (notes === "") throw new Error(`CHANGELOG.md:${begins + 1}: the section "## ${packageVersion}" says nothing`);
  return `${notes}\n`;
}
